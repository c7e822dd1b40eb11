"""The digital twin's door."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.notifications.api.twin.serializers import RoutingReplaySerializer
from apps.notifications.services.twin.replays import routes_replay
from apps.notifications.services.twin.requests import replay_asked
from detectviz.clock import utc_now
from detectviz.resources.api.formats import JsonRenderer, YamlRenderer
from detectviz.tenancy.requests import org_access

PERMISSIONS = ("routingtrees:read", "alerts:read")


class RoutingReplayView(APIView):
    """What a proposed configuration would have told."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(
        operation_id="replay_routing",
        request=RoutingReplaySerializer,
        responses=dict,
        tags=["notifications/v1"],
    )
    def post(self, request: Request, org: str) -> Response:
        """Replay a window through the present and a proposed configuration; write nothing.

        The proposal is checked as if it were applied, with the rights that this needs.
        """
        owner, access = org_access(request, org)
        for permission in PERMISSIONS:
            access.require(permission)
        asked = replay_asked(request.data, now=utc_now())
        found = routes_replay(org=owner, actor=None, access=access, asked=asked)
        return Response({"kind": "RoutingReplay", **found.as_json()})
