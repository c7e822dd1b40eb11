"""The delivery log: dispatching writes it; what failed for good can be sent again."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.notifications.api.serializers import ReplaySerializer
from apps.notifications.models import Delivery
from apps.notifications.selectors import (
    dead_letter_uids,
    delivery_after,
    delivery_get,
    delivery_queryset,
)
from apps.notifications.services.dead_letters import deliveries_replay, delivery_replay
from detectviz.clock import utc_now
from detectviz.resources.api.formats import JsonRenderer, YamlRenderer
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.tenancy.requests import org_access

PERMISSION = "deliveries:read"
FIELDS = ("status", "contact_point", "notifier", "alert")
SEND = "deliveries:send"
DEFAULT_LIMIT, MAX_LIMIT = 100, 500
TAGS = ["notifications/v1"]


class DeliveryListView(APIView):
    """An org's deliveries, the latest first."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(operation_id="list_deliveries", responses=dict, tags=TAGS)
    def get(self, request: Request, org: str) -> Response:
        """List without payloads; ``limit``, ``continue`` and ``field_selector`` as everywhere."""
        owner, access = org_access(request, org)
        access.require(PERMISSION)
        params = request.query_params
        limit = limit_of(params.get("limit", ""))
        filters = field_filters(params.get("field_selector", ""))
        rows = access.filter(delivery_queryset(org=owner, **filters), PERMISSION)
        if token := params.get("continue", ""):
            rows = delivery_after(rows=rows, last=_last_read(owner, token))
        page = list(rows[: limit + 1])
        more = page[limit - 1].uid if len(page) > limit else ""
        return Response(
            {
                "apiVersion": "notifications/v1",
                "kind": "DeliveryList",
                "metadata": {"continue": more},
                "items": [delivery_envelope(row, org) for row in page[:limit]],
            }
        )


class DeliveryView(APIView):
    """One delivery."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(operation_id="read_deliveries", responses=dict, tags=TAGS)
    def get(self, request: Request, org: str, name: str) -> Response:
        """Read one by its uid, with what the receiver was told."""
        owner, access = org_access(request, org)
        access.require(PERMISSION)
        delivery = delivery_get(org=owner, uid=name)
        envelope = delivery_envelope(delivery, org)
        envelope["status"] |= {"payload": delivery.payload, "history": delivery.history}
        return Response(envelope)


class DeliveryReplayView(APIView):
    """Sending one dead letter again."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(operation_id="replay_delivery", request=None, responses=dict, tags=TAGS)
    def post(self, request: Request, org: str, name: str) -> Response:
        """Send a delivery again that failed for good, under its old id."""
        owner, access = org_access(request, org)
        access.require(SEND)
        delivery = delivery_replay(org=owner, uid=name, now=utc_now())
        return Response(delivery_envelope(delivery, org))


class DeadLetterReplayView(APIView):
    """Sending many dead letters again."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(
        operation_id="replay_deliveries", request=ReplaySerializer, responses=dict, tags=TAGS
    )
    def post(self, request: Request, org: str) -> Response:
        """Send the named dead letters again, or the latest 1,000, of a contact point if given."""
        owner, access = org_access(request, org)
        access.require(SEND)
        body = ReplaySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        names = body.validated_data.get("names")
        if names is None:
            point = body.validated_data.get("contact_point", "")
            names = dead_letter_uids(org=owner, contact_point=point)
        return Response({"replayed": deliveries_replay(org=owner, uids=names, now=utc_now())})


def delivery_envelope(delivery: Delivery, org: str) -> dict[str, Any]:
    """Return a delivery as a resource whose name is its uid."""
    return {
        "apiVersion": "notifications/v1",
        "kind": "Delivery",
        "metadata": {
            "name": delivery.uid,
            "org": org,
            "uid": delivery.uid,
            "created_at": delivery.created_at,
        },
        "spec": {},
        "status": {
            "status": delivery.status,
            "contact_point": delivery.contact_point,
            "receiver": delivery.receiver,
            "notifier": delivery.notifier,
            "group_key": delivery.group_key,
            "firing": delivery.firing,
            "resolved": delivery.resolved,
            "reason": delivery.reason,
            "attempts": delivery.attempts,
            "next_attempt_at": None if delivery.finished_at else delivery.next_attempt_at,
            "finished_at": delivery.finished_at,
            "duration_s": delivery.duration_s,
            "status_code": delivery.status_code,
            "error": delivery.error,
            "answer": delivery.answer,
            "request_digest": delivery.request_digest,
            "fallback_of": delivery.fallback_of,
            "fallback_at": delivery.fallback_at,
            "replayed_at": delivery.replayed_at,
        },
    }


def field_filters(selector: str) -> dict[str, str]:
    """Read ``field_selector=status=failed,notifier=email``."""
    filters: dict[str, str] = {}
    for part in filter(None, selector.split(",")):
        field, separator, value = part.partition("=")
        name = field.strip().removeprefix("status.")
        if not separator or name not in FIELDS or "\x00" in value:
            raise InvalidFieldsError(
                {"field_selector": [f"{part!r}: write field=value; fields: {', '.join(FIELDS)}."]}
            )
        filters[name] = value.removeprefix("=").strip()
    return filters


def limit_of(text: str) -> int:
    """Read ``limit``."""
    if not text:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise InvalidFieldsError({"limit": [f"Must be a whole number from 1 to {MAX_LIMIT}."]})
    return int(text)


def _last_read(org: Any, uid: str) -> Delivery:
    try:
        return delivery_get(org=org, uid=uid)
    except NotFoundError as error:
        raise InvalidFieldsError(
            {"continue": ["This page is gone; start the list again."]}
        ) from error
