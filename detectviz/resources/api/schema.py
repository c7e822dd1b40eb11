"""What OpenAPI should know about envelopes and refusals."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from detectviz.resources.registry import ResourceKind
from detectviz.resources.selectors import DEFAULT_LIMIT, MAX_LIMIT

_PROBLEM: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "Why a request is refused (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "description": "urn:detectviz:problem: and the code"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "description": "For programs; it stays"},
        "detail": {"type": "string", "description": "For people"},
        "errors": {
            "type": "array",
            "description": "The fields that are wrong",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {"type": "string", "description": "Its path: spec.config.url"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}


class MetadataSerializer(serializers.Serializer[Any]):
    """The metadata of every envelope."""

    name = serializers.CharField(max_length=63)
    org = serializers.CharField(required=False)
    folder = serializers.CharField(required=False)
    labels = serializers.DictField(child=serializers.CharField(), required=False)
    uid = serializers.CharField(read_only=True)
    resource_version = serializers.IntegerField(required=False)
    generation = serializers.IntegerField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


@cache
def envelope_serializers(
    kind: ResourceKind[Any],
) -> tuple[type[serializers.Serializer[Any]], type[serializers.Serializer[Any]]]:
    """Return the serializers of one envelope and of a list, named after the kind."""
    fields: dict[str, Any] = {
        "apiVersion": serializers.CharField(default=kind.api_version),
        "kind": serializers.CharField(default=kind.kind),
        "metadata": MetadataSerializer(),
        "spec": kind.spec_serializer(),
        "status": serializers.DictField(read_only=True),
    }
    envelope = type(kind.kind, (serializers.Serializer,), fields)
    listing = type(
        f"{kind.kind}List",
        (serializers.Serializer,),
        {
            "apiVersion": serializers.CharField(),
            "kind": serializers.CharField(),
            "metadata": serializers.DictField(),
            "items": envelope(many=True),
        },
    )
    return envelope, listing


def list_parameters(kind: ResourceKind[Any]) -> list[OpenApiParameter]:
    """Return the query parameters of a list of this kind."""
    fields = ", ".join(sorted(kind.field_selectors)) or "none"
    return [
        OpenApiParameter(
            "limit", OpenApiTypes.INT, description=f"1 to {MAX_LIMIT}, default {DEFAULT_LIMIT}"
        ),
        OpenApiParameter("continue", description="The token of the page before"),
        OpenApiParameter("label_selector", description="team=web,tier in (a,b),!legacy"),
        OpenApiParameter("field_selector", description=f"Fields: {fields}"),
        OpenApiParameter("search", description="Part of a name or title"),
        OpenApiParameter("folder", description="A folder's name"),
    ]


def describe_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say of each operation that what we refuse comes as a problem (a hook of spectacular)."""
    parts = result["components"]
    parts["schemas"]["Problem"] = dict(_PROBLEM)
    shape = {"schema": {"$ref": "#/components/schemas/Problem"}}
    parts["responses"] = {
        "Problem": {
            "description": "Refused by Detectviz; what it passes on comes as it is",
            "content": {"application/problem+json": shape},
        }
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
    return result
