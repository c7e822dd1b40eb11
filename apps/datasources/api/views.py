"""What programs ask of one datasource: its health, its plugin's resources, and the proxy."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.datasources.models import Datasource
from apps.datasources.selectors import ResolvedDatasource, datasource_get, datasource_resolve
from apps.datasources.services.calls import resource_call
from apps.datasources.services.health import datasource_check
from apps.datasources.services.proxy import ProxyRequest, proxy_call, proxy_path
from detectviz.clock import utc_now
from detectviz.contracts.datasource import ResourceRequest
from detectviz.contracts.types import JsonObject
from detectviz.resources.api.formats import JsonParser, JsonRenderer
from detectviz.resources.errors import InvalidFieldsError
from detectviz.tenancy.requests import org_access

TAGS = ["datasources/v1"]
READ, QUERY = "datasources:read", "datasources:query"


def handle_health(request: HttpRequest, org: Any, datasource: Datasource) -> JsonObject:
    """Check now, and remember what was found."""
    health = datasource_check(org=org, datasource=datasource, now=utc_now())
    return {"status": health.status, "message": health.message, "details": dict(health.details)}


class AlwaysJson(BaseContentNegotiation):
    """Answers in JSON whatever is asked for: the Accept header is meant for the datasource."""

    def select_parser(self, request: Any, parsers: Iterable[Any]) -> Any:
        """Take the first."""
        return next(iter(parsers))

    def select_renderer(
        self, request: Any, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Take the first."""
        chosen = next(iter(renderers))
        return chosen, chosen.media_type


class DatasourceView(APIView):
    """What the two doors to a plugin share."""

    renderer_classes = [JsonRenderer]
    parser_classes = [JsonParser]
    content_negotiation_class = AlwaysJson

    def resolved(self, request: Request, org: str, name: str) -> tuple[Any, ResolvedDatasource]:
        """Return the org and the datasource, or refuse."""
        owner, access = org_access(request, org)
        row = datasource_get(owner, access=access, name=name)
        access.require(QUERY, row)
        return owner, datasource_resolve(org=owner, ref=row.uid)


class ResourceCallView(DatasourceView):
    """``…/resources/{path}``."""

    @extend_schema(
        operation_id="datasources_get_resource",
        summary="Ask a resource of the plugin, such as tables",
        responses=dict,
        tags=TAGS,
    )
    def get(self, request: Request, org: str, name: str, path: str) -> Response:
        """Ask."""
        owner, resolved = self.resolved(request, org, name)
        call = ResourceRequest(path=proxy_path(path), parameters=_parameters(request))
        return Response(resource_call(org=owner, resolved=resolved, request=call))

    @extend_schema(
        operation_id="datasources_post_resource",
        summary="Ask a resource of the plugin with a body",
        request=dict,
        responses=dict,
        tags=TAGS,
    )
    def post(self, request: Request, org: str, name: str, path: str) -> Response:
        """Ask with a body."""
        owner, resolved = self.resolved(request, org, name)
        if not isinstance(request.data, Mapping):
            raise InvalidFieldsError({"": ["The body must be a JSON object."]})
        call = ResourceRequest(
            path=proxy_path(path),
            method="POST",
            parameters=_parameters(request),
            body=cast("JsonObject", request.data),
        )
        return Response(resource_call(org=owner, resolved=resolved, request=call))


class ProxyView(DatasourceView):
    """``…/proxy/{path}``: the datasource's own HTTP, as far as its plugin lets it through."""

    @extend_schema(
        operation_id="datasources_proxy_get",
        summary="Pass a request on to the datasource",
        responses=dict,
        tags=TAGS,
    )
    def get(self, request: Request, org: str, name: str, path: str) -> HttpResponse:
        """Pass on."""
        return self._pass(request, org, name, path)

    @extend_schema(
        operation_id="datasources_proxy_post",
        summary="Pass a request with a body on to the datasource",
        request=dict,
        responses=dict,
        tags=TAGS,
    )
    def post(self, request: Request, org: str, name: str, path: str) -> HttpResponse:
        """Pass on with the body."""
        return self._pass(request, org, name, path)

    def _pass(self, request: Request, org: str, name: str, path: str) -> HttpResponse:
        owner, resolved = self.resolved(request, org, name)
        plain: HttpRequest = request._request  # noqa: SLF001 - the raw request, nothing parsed
        answer = proxy_call(
            org=owner,
            resolved=resolved,
            request=ProxyRequest(
                method=str(plain.method),
                path=path,
                raw_path=plain.META.get("RAW_URI", ""),
                query=plain.META.get("QUERY_STRING", ""),
                headers=list(plain.headers.items()),
                body=plain.body,
            ),
        )
        response = HttpResponse(
            answer.body, status=answer.status_code, headers=dict(answer.headers)
        )
        # Whatever it is, no browser runs it as a page of ours.
        response.headers["Content-Security-Policy"] = "sandbox"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response


def _parameters(request: Request) -> dict[str, str]:
    if any("\x00" in text for text in request.query_params.values()):
        raise InvalidFieldsError({"query": ["Must not contain NUL characters."]})
    return {name: str(text) for name, text in request.query_params.items()}
