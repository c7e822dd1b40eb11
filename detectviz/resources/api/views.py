"""The views every kind shares. A kind's own class is made in ``urls.py``."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.db import models
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detectviz.permissions.access import Access
from detectviz.resources.api.formats import (
    JsonParser,
    JsonRenderer,
    MergePatchParser,
    YamlParser,
    YamlRenderer,
)
from detectviz.resources.envelope import Envelope, envelope_of, parse_envelope
from detectviz.resources.errors import ForbiddenError, InvalidFieldsError, NotFoundError
from detectviz.resources.formats import foreign_export
from detectviz.resources.manifests import manifests_export, text_apply
from detectviz.resources.models import is_name
from detectviz.resources.registry import ResourceKind, Subresource, registry
from detectviz.resources.selectors import DEFAULT_LIMIT, MAX_LIMIT, ListQuery, resource_list
from detectviz.resources.services import (
    Mode,
    folder_get,
    resource_act,
    resource_delete,
    resource_write,
)
from detectviz.resources.targets import datasource_pairs
from detectviz.tenancy.requests import org_access

_MOST_DIGITS = 6


def caller(request: Request) -> models.Model:
    """Return the authenticated user; the permission classes have turned away everybody else."""
    user: Any = request.user
    if not user.is_authenticated:
        raise NotAuthenticated
    return cast("models.Model", user)


class ResourceView(APIView):
    """What collection and item share: formats, the org of the URL, and the caller's access."""

    kind: ClassVar[ResourceKind[Any]]
    parser_classes = [JsonParser, YamlParser, MergePatchParser]
    renderer_classes = [JsonRenderer, YamlRenderer]

    org: models.Model
    access: Access

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Resolve the org: a foreign one and an unknown one answer the same 404."""
        super().initial(request, *args, **kwargs)
        self.org, self.access = org_access(request, kwargs["org"])

    def visible(self) -> "models.QuerySet[Any]":
        """Return the rows the caller may read."""
        permission = f"{self.kind.permission}:read"
        if not self.access.allows_somewhere(permission):
            raise ForbiddenError(f"You need the permission {permission} in this org.")
        return self.access.filter(self.kind.queryset(self.org), permission)

    def require(self, action: str, instance: models.Model | None = None) -> None:
        """Refuse with 403 unless the caller may do ``action``."""
        permission = action if ":" in action else f"{self.kind.permission}:{action}"
        if not self.access.allows(permission, instance):
            raise ForbiddenError(f"You need the permission {permission} for this.")

    def require_verb(self, verb: str) -> None:
        """Refuse a verb the kind does not have."""
        if verb not in self.kind.verbs:
            raise MethodNotAllowed(self.request.method or "")

    def save(self, envelope: Envelope, *, mode: Mode) -> Response:
        """Check the permission of what is about to happen, write, and answer the new state."""
        instance = self.kind.queryset(self.org).filter(name=envelope.name).first()
        if instance is not None and not self.access.allows(
            f"{self.kind.permission}:read", instance
        ):
            self.visible()  # tells who may read none of the kind that it is a matter of permission
            raise NotFoundError
        verb = "create" if instance is None else "update"
        self.require_verb(verb)
        self.require(verb, instance or folder_get(self.org, envelope.folder))
        if envelope.org not in {None, str(self.org)}:
            raise InvalidFieldsError({"metadata.org": [f"Must be {self.org}, as in the URL."]})
        result = resource_write(
            self.kind,
            org=self.org,
            actor=caller(self.request),
            name=envelope.name,
            spec=envelope.spec,
            labels=envelope.labels,
            folder=envelope.folder,
            resource_version=envelope.resource_version,
            mode=mode,
        )
        fresh = self.kind.queryset(self.org).get(pk=result.instance.pk)
        body = envelope_of(self.kind, fresh) | self.kind.extra_answer(result.instance)
        code = status.HTTP_201_CREATED if result.outcome == "created" else status.HTTP_200_OK
        return Response(body, status=code)


class CollectionView(ResourceView):
    """``GET`` lists, ``POST`` creates."""

    def get(self, request: Request, org: str) -> Response:
        """List what the caller may see."""
        self.require_verb("list")
        query = list_query(request.query_params)
        page = resource_list(self.kind, self.visible(), query)
        return Response(
            {
                "apiVersion": self.kind.api_version,
                "kind": f"{self.kind.kind}List",
                "metadata": {"continue": page.continue_token},
                "items": [envelope_of(self.kind, row) for row in page.rows],
            }
        )

    def post(self, request: Request, org: str) -> Response:
        """Create one."""
        self.require_verb("create")
        return self.save(parse_envelope(request.data, kind=self.kind), mode="create")


class ItemView(ResourceView):
    """``GET``, ``PUT`` (idempotent upsert), ``PATCH`` (merge patch) and ``DELETE``."""

    def instance(self, name: str) -> Any:
        """Return the row, or the one 404 there is; 403 for who may read none of them."""
        row = self.visible().filter(name=name).first() if is_name(name) else None
        if row is None:
            raise NotFoundError
        return row

    def get(self, request: Request, org: str, name: str) -> Response:
        """Read one."""
        return Response(envelope_of(self.kind, self.instance(name)))

    def put(self, request: Request, org: str, name: str) -> Response:
        """Create or replace one."""
        return self.save(parse_envelope(request.data, kind=self.kind, name=name), mode="upsert")

    def patch(self, request: Request, org: str, name: str) -> Response:
        """Change parts of one; null removes a field."""
        current = envelope_of(self.kind, self.instance(name))
        del current["status"]
        if not isinstance(request.data, Mapping):
            raise InvalidFieldsError({"": ["A merge patch is an object."]})
        metadata = request.data.get("metadata")
        if not isinstance(metadata, Mapping) or "resource_version" not in metadata:
            del current["metadata"]["resource_version"]
        merged = merge_patch(current, request.data)
        return self.save(parse_envelope(merged, kind=self.kind, name=name), mode="update")

    def delete(self, request: Request, org: str, name: str) -> Response:
        """Delete one."""
        self.require_verb("delete")
        self.require("delete", self.instance(name))
        resource_delete(self.kind, org=self.org, actor=caller(request), name=name)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SubresourceView(ItemView):
    """An action or a view below one object (or below the collection)."""

    subresource: ClassVar[Subresource]

    def handle(
        self, request: Request, org: str, name: str | None = None
    ) -> Response | HttpResponseBase:
        """Check the permission on the object and call the kind's handler."""
        instance = self.instance(name) if name is not None else None
        self.require(self.subresource.permission, instance)
        answer = self._answer(request, instance)
        return answer if isinstance(answer, HttpResponseBase) else Response(answer)

    def _answer(self, request: Request, instance: Any) -> Any:
        asked = self.subresource
        if not asked.is_act or instance is None:
            return asked.handler(request, self.org, instance)
        return resource_act(
            self.kind,
            org=self.org,
            actor=caller(request),
            name=instance.name,
            verb=asked.name,
            act=lambda row: asked.handler(request, self.org, row),
        )

    get = post = handle  # type: ignore[assignment]  # the URL allows only the declared method


class ApplyView(APIView):
    """``POST`` applies a multi-document YAML body in one transaction."""

    parser_classes = [YamlParser, JsonParser]
    renderer_classes = [JsonRenderer]

    @extend_schema(
        operation_id="apply",
        summary="Apply manifests in one transaction",
        request={"application/yaml": OpenApiTypes.STR},
        responses=OpenApiTypes.OBJECT,
        parameters=[
            OpenApiParameter("dry_run", OpenApiTypes.BOOL, description="Also written dryRun"),
            OpenApiParameter("prune", OpenApiTypes.BOOL),
            OpenApiParameter(
                "datasource",
                many=True,
                description="What a datasource of a file of Grafana is here: uid=name; repeatable",
            ),
        ],
    )
    def post(self, request: Request, org: str) -> Response:
        """Apply; ``dry_run`` only tells, ``prune`` deletes what is not in the body.

        ``losses`` are what a file of another product says and nothing of ours can keep.
        """
        owner, access = org_access(request, org)
        asked = request.query_params
        found = text_apply(
            org=owner,
            actor=caller(request),
            access=access,
            text=request._request.body,  # noqa: SLF001 - the raw body, several documents
            is_dry_run="true" in {asked.get("dry_run"), asked.get("dryRun")},
            prune=asked.get("prune") == "true",
            datasources=datasource_pairs(asked.getlist("datasource")),
        )
        return Response(
            {
                "formats": found.reading.formats,
                "changes": [change.as_json() for change in found.changes],
                "losses": [loss.as_json() for loss in found.reading.losses],
            }
        )


class ExportView(APIView):
    """``GET`` everything the caller may read, as YAML that ``apply`` takes back."""

    renderer_classes = [YamlRenderer, JsonRenderer]

    @extend_schema(
        operation_id="export",
        summary="Everything the caller may read, as manifests",
        responses={(200, "application/yaml"): OpenApiTypes.STR},
        parameters=[
            OpenApiParameter("kinds", description="Comma-separated, such as Monitor"),
            OpenApiParameter("as", description="A foreign format, such as alertmanager"),
        ],
    )
    def get(self, request: Request, org: str) -> HttpResponseBase:
        """Export."""
        owner, access = org_access(request, org)
        if "as" in request.query_params:
            name = request.query_params["as"]
            found = foreign_export(org=owner, access=access, format_name=name)
            losses = [loss.as_json() for loss in found.losses]
            return Response({"document": found.document, "losses": losses})
        kinds = set(filter(None, request.query_params.get("kinds", "").split(",")))
        documents = manifests_export(org=owner, access=access, kinds=kinds)
        return Response({"items": documents})


@extend_schema(exclude=True)
class UnknownPathView(APIView):
    """What no other route below ``/apis/`` answers: the same 404 as a foreign object."""

    permission_classes = [AllowAny]
    renderer_classes = [JsonRenderer]

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer every method alike."""
        self.http_method_names = [str(request.method).lower()]
        setattr(self, self.http_method_names[0], self._unknown)
        return super().dispatch(request, *args, **kwargs)

    def _unknown(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        raise NotFoundError


class GroupsView(APIView):
    """``/apis``: the groups there are."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(operation_id="list_groups", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """List API groups and versions."""
        return Response({"groups": sorted({kind.api_version for kind in registry})})


class DiscoveryView(APIView):
    """``/apis/{group}/{version}``: the kinds of one group."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(operation_id="list_kinds", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, group: str, version: str) -> Response:
        """List kinds with their verbs, subresources and field selectors."""
        kinds = [kind for kind in registry if kind.api_version == f"{group}/{version}"]
        if not kinds:
            raise NotFoundError
        return Response(
            {
                "group_version": f"{group}/{version}",
                "resources": [
                    {
                        "name": kind.plural,
                        "kind": kind.kind,
                        "verbs": sorted(kind.verbs),
                        "subresources": [item.name for item in kind.subresources],
                        "field_selectors": sorted(kind.field_selectors),
                    }
                    for kind in kinds
                ],
            }
        )


def list_query(params: Mapping[str, str]) -> ListQuery:
    """Read the list parameters; a wrong one is named."""
    known = {"limit", "continue", "label_selector", "field_selector", "search", "folder", "format"}
    unknown = sorted(set(params) - known)
    if unknown:
        raise InvalidFieldsError(
            {unknown[0]: [f"Unknown parameter. Known: {', '.join(sorted(known))}."]}
        )
    limit = params.get("limit", str(DEFAULT_LIMIT))
    is_number = limit.isascii() and limit.isdigit() and len(limit) <= _MOST_DIGITS
    if not is_number or not 1 <= int(limit) <= MAX_LIMIT:
        raise InvalidFieldsError({"limit": [f"Must be a whole number from 1 to {MAX_LIMIT}."]})
    if any("\x00" in value for value in params.values()):
        raise InvalidFieldsError({"search": ["Must not contain NUL characters."]})
    return ListQuery(
        limit=int(limit),
        continue_token=params.get("continue", ""),
        label_selector=params.get("label_selector", ""),
        field_selector=params.get("field_selector", ""),
        search=params.get("search", ""),
        folder=params.get("folder", ""),
    )


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
