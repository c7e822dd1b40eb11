"""``…/query``: ask one datasource, or several at once."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.datasources.api.queries.serializers import FORMATS, format_of, pieces_response
from apps.datasources.selectors import datasource_resolve
from apps.datasources.services.queries import PERMISSION, queries_run
from detectviz.clock import to_ms, utc_now
from detectviz.permissions.access import Access
from detectviz.queries.document import read_request
from detectviz.queries.errors import DocumentError
from detectviz.queries.model import QueryRequest
from detectviz.resources.api.formats import JsonParser, JsonRenderer
from detectviz.resources.errors import InvalidFieldsError
from detectviz.runtime.bridge import GONE_KEY
from detectviz.tenancy.requests import org_access

TAG = "datasources/v1"
FORMAT = OpenApiParameter("format", str, enum=list(FORMATS))


class AnyAnswer(BaseContentNegotiation):
    """The view looks at Accept itself; errors are JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Read JSON whatever the content type says."""
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Write JSON."""
        return renderers[0], renderers[0].media_type


class QueryView(APIView):
    """Several datasources at once: ``datasource`` stands in each query."""

    parser_classes = [JsonParser]
    renderer_classes = [JsonRenderer]
    content_negotiation_class = AnyAnswer

    @extend_schema(
        operation_id="query_datasources",
        request=dict,
        parameters=[FORMAT],
        responses=dict,
        tags=[TAG],
    )
    def post(self, request: Request, org: str) -> HttpResponseBase:
        """Run queries and expressions; each has its own outcome."""
        owner, access = org_access(request, org)
        if not access.allows_somewhere(PERMISSION):
            access.require(PERMISSION)
        return answer(request, owner, access, _read(request, None))


class DatasourceQueryView(QueryView):
    """One datasource."""

    @extend_schema(
        operation_id="query_datasource",
        request=dict,
        parameters=[FORMAT],
        responses=dict,
        tags=[TAG],
    )
    def post(self, request: Request, org: str, name: str) -> HttpResponseBase:  # type: ignore[override]  # one more in the address
        """Run queries of one datasource and expressions on them."""
        owner, access = org_access(request, org)
        resolved = datasource_resolve(org=owner, ref=name)
        access.require(PERMISSION, resolved.row)
        return answer(request, owner, access, _read(request, name))


def answer(request: Request, org: Any, access: Access, asked: QueryRequest) -> HttpResponseBase:
    """Run what was asked and write it as wished."""
    plain: HttpRequest = request._request  # noqa: SLF001 - the environ is Django's
    content_type, write = FORMATS[format_of(plain)]
    results = queries_run(org=org, access=access, request=asked, is_gone=gone_of(plain))
    return pieces_response(write(results), content_type)


def gone_of(request: HttpRequest) -> Any:
    """Return what tells whether the client has hung up."""
    gone = request.META.get(GONE_KEY)
    return (lambda: False) if gone is None else gone.is_set


def _read(request: Request, datasource: str | None) -> QueryRequest:
    try:
        return read_request(request.data, now_ms=to_ms(utc_now()), datasource=datasource)
    except DocumentError as error:
        raise InvalidFieldsError({error.field: [error.message]}) from error
