"""An org's dead letters: look, try again, give up."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detectviz.clock import utc_now
from detectviz.events.envelopes import dead_letter_envelope
from detectviz.events.models import EventDelivery
from detectviz.events.selectors import dead_letter_get, dead_letter_list
from detectviz.events.services import dead_letter_discard, dead_letter_replay
from detectviz.resources.api.formats import JsonRenderer, YamlRenderer
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.tenancy.requests import org_access

READ, UPDATE = "events:read", "events:update"
TAGS = ["core/v1"]
ACTIONS = {"replay": dead_letter_replay, "discard": dead_letter_discard}
DEFAULT_LIMIT, MOST = 100, 500
_LONGEST_NUMBER = 10


class DeadLetterListView(APIView):
    """An org's dead letters, the latest first."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(
        operation_id="list_deadletters",
        parameters=[OpenApiParameter("limit", int), OpenApiParameter("continue", int)],
        responses=dict,
        tags=TAGS,
    )
    def get(self, request: Request, org: str) -> Response:
        """List; ``continue`` of one answer asks for the next."""
        owner, access = org_access(request, org)
        access.require(READ)
        limit = min(_whole(request, "limit", DEFAULT_LIMIT) or 1, MOST)
        start = _whole(request, "continue", 0)
        rows = list(dead_letter_list(owner)[start : start + limit + 1])
        more = str(start + limit) if len(rows) > limit else ""
        return Response(
            {
                "apiVersion": "core/v1",
                "kind": "DeadLetterList",
                "metadata": {"continue": more},
                "items": [dead_letter_envelope(row) for row in rows[:limit]],
            }
        )


class DeadLetterView(APIView):
    """One dead letter with its event."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(operation_id="read_deadletters", responses=dict, tags=TAGS)
    def get(self, request: Request, org: str, name: str) -> Response:
        """Read one by its uid."""
        owner, access = org_access(request, org)
        access.require(READ)
        return Response(dead_letter_envelope(_found(owner, name)))


class DeadLetterActionView(APIView):
    """Settles one dead letter; told to the audit."""

    renderer_classes = [JsonRenderer, YamlRenderer]
    verb = "replay"

    @extend_schema(request=None, responses=dict, tags=TAGS)
    def post(self, request: Request, org: str, name: str) -> Response:
        """Do it; one that is settled already is not found."""
        owner, access = org_access(request, org)
        access.require(UPDATE)
        row = _found(owner, name)
        ACTIONS[self.verb](org=owner, row=row, now=utc_now(), actor_id=request.user.pk)
        return Response({"deadletter": row.uid, "action": self.verb})


def _found(owner: Any, uid: str) -> EventDelivery:
    row = dead_letter_get(owner, uid) if uid.isalnum() else None
    if row is None:
        raise NotFoundError
    return row


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER):
        raise InvalidFieldsError({name: ["Write a whole number."]})
    return int(text)
