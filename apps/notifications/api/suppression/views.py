"""The suppression ledger, read-only: why somebody was not told."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.alerting.selectors import alert_get
from apps.notifications.enums import SuppressionKind
from apps.notifications.services.answers import Suppression, suppressions_of
from apps.notifications.services.ledger_pages import LedgerPages
from detectviz.clock import utc_now
from detectviz.resources.api.formats import JsonRenderer, YamlRenderer
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.tenancy.requests import org_access

PERMISSION = "alerts:read"
TAGS = ["alerting/v1"]
DEFAULT_LIMIT, MAX_LIMIT = 100, 500


class AlertSuppressionsView(APIView):
    """Why each contact point is not told of one alert, now and before."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(operation_id="list_alert_suppressions", responses=dict, tags=TAGS)
    def get(self, request: Request, org: str, name: str) -> Response:
        """Answer for an alert by its name or its fingerprint, also one that is long over."""
        owner, access = org_access(request, org)
        alert = alert_get(owner, name)
        access.require(PERMISSION, alert)
        fingerprint = alert.fingerprint if alert is not None else name
        if "\x00" in fingerprint:
            raise NotFoundError
        found = suppressions_of(org=owner, fingerprint=fingerprint, now=utc_now())
        if alert is None and not found:
            raise NotFoundError
        return Response(_listed(found))


class SuppressionListView(APIView):
    """The ledger of an org, the newest rows first."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(operation_id="list_suppressions", responses=dict, tags=TAGS)
    def get(self, request: Request, org: str) -> Response:
        """List by ``kind``, ``contact_point``, ``open`` (true, false), ``limit``, ``offset``."""
        owner, access = org_access(request, org)
        access.require(PERMISSION)
        params = request.query_params
        kind, point = params.get("kind", ""), params.get("contact_point", "")
        if (kind and kind not in SuppressionKind.values) or "\x00" in point:
            raise InvalidFieldsError({"kind": [f"One of {', '.join(SuppressionKind.values)}."]})
        opened = {"": None, "true": True, "false": False}
        if params.get("open", "") not in opened:
            raise InvalidFieldsError({"open": ["Write true or false."]})
        pages = LedgerPages(
            org=owner,
            now=utc_now(),
            kind=kind,
            contact_point=point,
            is_open=opened[params.get("open", "")],
        )
        limit, offset = _number(params, "limit", DEFAULT_LIMIT), _number(params, "offset", 0)
        return Response(_listed(pages.page(offset=offset, limit=min(limit, MAX_LIMIT))))


def _listed(found: list[Suppression]) -> dict[str, Any]:
    return {
        "apiVersion": "alerting/v1",
        "kind": "SuppressionList",
        "metadata": {},
        "items": [_item(each) for each in found],
    }


def _item(row: Suppression) -> dict[str, Any]:
    return {
        "fingerprint": row.fingerprint,
        "labels": row.labels,
        "contact_point": row.contact_point,
        "receiver": row.receiver,
        "group_key": row.group_key,
        "kind": row.kind,
        "causes": row.causes,
        "since": row.since,
        "until": row.until,
        "ended_at": row.ended_at,
        "ending": row.ending,
        "sentence": row.sentence,
    }


def _number(params: Any, name: str, default: int) -> int:
    text = params.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > len("1000000"):
        raise InvalidFieldsError({name: ["Must be a whole number."]})
    return int(text)
