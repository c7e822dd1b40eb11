"""What OpenAPI should know about an envelope."""

from functools import cache
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from detectviz.resources.registry import ResourceKind
from detectviz.resources.selectors import DEFAULT_LIMIT, MAX_LIMIT


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
