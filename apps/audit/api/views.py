"""Audit events, read-only: there is no verb that changes one."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.audit.models import AuditEvent
from apps.audit.selectors import FILTERS, audit_get, audit_list
from detectviz.resources.api.formats import JsonRenderer, YamlRenderer
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.tenancy.requests import org_access

PERMISSION = "audit:read"
MAX_LIMIT = 500
TAGS = ["core/v1"]


class AuditEventListView(APIView):
    """An org's events, the latest first."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(operation_id="list_auditevents", responses=dict, tags=TAGS)
    def get(self, request: Request, org: str) -> Response:
        """List; ``limit``, ``continue``, ``search`` and ``field_selector`` as everywhere."""
        owner, access = org_access(request, org)
        access.require(PERMISSION)
        params = request.query_params
        limit, before = whole(params, "limit", 100, MAX_LIMIT), whole(params, "continue", 0, 2**53)
        search = params.get("search", "").replace("\x00", "")
        rows = audit_list(owner, filters=field_filters(params), search=search)
        page = list((rows.filter(seq__lt=before) if before else rows)[: limit + 1])
        more = str(page[limit - 1].seq) if len(page) > limit else ""
        return Response(
            {
                "apiVersion": "core/v1",
                "kind": "AuditEventList",
                "metadata": {"continue": more},
                "items": [event_envelope(event) for event in page[:limit]],
            }
        )


class AuditEventView(APIView):
    """One event."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(operation_id="read_auditevents", responses=dict, tags=TAGS)
    def get(self, request: Request, org: str, name: str) -> Response:
        """Read one by its uid."""
        owner, access = org_access(request, org)
        access.require(PERMISSION)
        event = audit_get(owner, name)
        if event is None:
            raise NotFoundError
        return Response(event_envelope(event))


def event_envelope(event: AuditEvent) -> dict[str, Any]:
    """Return an event as a resource whose name is its uid."""
    return {
        "apiVersion": "core/v1",
        "kind": "AuditEvent",
        "metadata": {"name": event.uid, "uid": event.uid, "created_at": event.at},
        "spec": {},
        "status": {
            "seq": event.seq,
            "action": event.action,
            "is_success": event.is_success,
            "actor": event.actor_name,
            "via": event.via,
            "address": event.address,
            "request_id": event.request_id,
            "object": {"kind": event.kind, "name": event.name, "uid": event.object_uid},
            "before": event.before,
            "after": event.after,
            "hash": event.hash,
        },
    }


def field_filters(params: Mapping[str, str]) -> dict[str, str]:
    """Read ``field_selector=action=auth.login,kind=User``."""
    filters: dict[str, str] = {}
    for part in filter(None, params.get("field_selector", "").split(",")):
        field, separator, value = part.partition("=")
        if not separator or field.strip() not in FILTERS or "\x00" in value:
            raise InvalidFieldsError(
                {"field_selector": [f"{part!r}: write field=value; fields: {', '.join(FILTERS)}."]}
            )
        filters[field.strip()] = value.strip()
    return filters


def whole(params: Mapping[str, str], name: str, default: int, maximum: int) -> int:
    """Read a whole number."""
    text = params.get(name)
    if not text:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(maximum))
    if not is_number or not 1 <= int(text) <= maximum:
        raise InvalidFieldsError({name: [f"Must be a whole number from 1 to {maximum}."]})
    return int(text)
