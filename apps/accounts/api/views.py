"""Orgs: the one kind that belongs to no org, so that it has views of its own."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.api.serializers import OrgSpec
from apps.accounts.models import User
from apps.accounts.selectors import org_list_of
from apps.orgs.models import Org
from apps.orgs.selectors import org_exists
from apps.orgs.services import org_create, org_delete, org_envelope, org_update
from detectviz.permissions.requests import request_access
from detectviz.resources.api.formats import JsonParser, JsonRenderer, YamlParser, YamlRenderer
from detectviz.resources.errors import ForbiddenError, NotFoundError
from detectviz.resources.validation import validate_data
from detectviz.tenancy.context import scope_enter

TAGS = ["core/v1"]


class OrgView(APIView):
    """What both views share."""

    parser_classes = [JsonParser, YamlParser]
    renderer_classes = [JsonRenderer, YamlRenderer]

    def actor(self, request: Request) -> User:
        """Return the caller, whom IsAuthenticated let through."""
        assert isinstance(request.user, User)
        return request.user

    def spec(self, request: Request) -> dict[str, Any]:
        """Return the validated spec."""
        data = request.data
        return validate_data(OrgSpec, data.get("spec") if isinstance(data, dict) else None, {})

    def require_platform(self, request: Request) -> None:
        """Refuse everybody but the platform's administrators in a session of their own."""
        if not request.user.is_superuser or request.auth is not None:
            raise ForbiddenError("Only a platform administrator may do this.")


class OrgCollectionView(OrgView):
    """The orgs the caller may enter."""

    @extend_schema(operation_id="list_orgs", responses=dict, tags=TAGS)
    def get(self, request: Request) -> Response:
        """List them."""
        orgs = [org for org in org_list_of(request.user) if self._is_open(request, org)]
        return Response(
            {"apiVersion": "core/v1", "kind": "OrgList", "items": list(map(org_envelope, orgs))}
        )

    def _is_open(self, request: Request, org: Org) -> bool:
        return getattr(request.auth, "org_id", org.pk) == org.pk


class OrgItemView(OrgView):
    """One org."""

    def org(self, request: Request, name: str, action: str) -> Org:
        """Return the org if the caller may do ``action`` with it."""
        org = org_list_of(request.user).filter(name=name).first()
        if org is None:
            raise NotFoundError
        scope_enter(org)
        request_access(request, org).require(f"orgs:{action}", org)
        return org

    @extend_schema(operation_id="read_orgs", responses=dict, tags=TAGS)
    def get(self, request: Request, name: str) -> Response:
        """Read one."""
        return Response(org_envelope(self.org(request, name, "read")))

    @extend_schema(operation_id="put_orgs", request=OrgSpec, responses=dict, tags=TAGS)
    def put(self, request: Request, name: str) -> Response:
        """Create or change one; creating and switching off are the platform's."""
        spec = self.spec(request)
        if request.user.is_superuser and not org_exists(name):
            self.require_platform(request)
            org = org_create(name=name, title=spec.get("title", ""), actor=self.actor(request))
            return Response(org_envelope(org), status=status.HTTP_201_CREATED)
        org = self.org(request, name, "update")
        if "is_active" in spec:
            self.require_platform(request)
        return Response(org_envelope(org_update(org=org, actor=self.actor(request), **spec)))

    @extend_schema(operation_id="delete_orgs", responses={204: None}, tags=TAGS)
    def delete(self, request: Request, name: str) -> Response:
        """Delete one with everything in it."""
        org = self.org(request, name, "read")
        self.require_platform(request)
        org_delete(org=org, actor=self.actor(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
