"""``/orgs/{org}/grafana/api``: what Grafana's clients ask of a Grafana.

Errors are ``{"message": …}``, as Grafana's are.
"""

from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from apps.datasources.api.grafana.serializers import datasource_json, user_json
from apps.datasources.api.queries.serializers import pieces_response
from apps.datasources.api.queries.views import AnyAnswer, gone_of
from apps.datasources.selectors import datasource_list
from apps.datasources.services.grafana_models import own_model
from apps.datasources.services.queries import PERMISSION, queries_run
from detectviz import __version__
from detectviz.clock import to_ms, utc_now
from detectviz.permissions.access import Access
from detectviz.queries.document import read_grafana_request
from detectviz.queries.encoding.grafana import grafana_json
from detectviz.queries.errors import DocumentError
from detectviz.resources.api.formats import JsonParser, JsonRenderer
from detectviz.resources.errors import DomainError, NotFoundError
from detectviz.tenancy.requests import org_access

READ = "datasources:read"
_BAD_REQUEST = 400


class GrafanaView(APIView):
    """One address of Grafana's API."""

    parser_classes = [JsonParser]
    renderer_classes = [JsonRenderer]
    content_negotiation_class = AnyAnswer
    schema = None  # another project's API, described in docs/api.md

    org: Any
    access: Access

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Resolve the org."""
        super().initial(request, *args, **kwargs)
        self.org, self.access = org_access(request, kwargs["org"])

    def handle_exception(self, exc: Exception) -> Response:
        """Answer in Grafana's shape."""
        if isinstance(exc, DomainError):
            return Response({"message": exc.message}, status=exc.status_code)
        response = exception_handler(exc, {}) if isinstance(exc, APIException) else None
        if response is None:
            return super().handle_exception(exc)
        refused = super().handle_exception(exc)
        refused.data = {"message": str(getattr(exc, "detail", exc))}
        return refused


class HealthView(GrafanaView):
    """``health``."""

    def get(self, request: Request, org: str) -> Response:
        """Say which version this is."""
        return Response({"commit": "", "database": "ok", "version": __version__})


class UserView(GrafanaView):
    """``user``."""

    def get(self, request: Request, org: str) -> Response:
        """Say who asks."""
        return Response(user_json(request, self.org, is_admin=self.access.is_superuser))


class OrgView(GrafanaView):
    """``org``."""

    def get(self, request: Request, org: str) -> Response:
        """Say which org this is."""
        return Response({"id": self.org.pk, "name": str(self.org)})


class DatasourceListView(GrafanaView):
    """``datasources``."""

    def get(self, request: Request, org: str) -> Response:
        """List those the caller may read."""
        if not self.access.allows_somewhere(READ):
            self.access.require(READ)
        rows = self.access.filter(datasource_list(self.org), READ)
        return Response([datasource_json(row, is_listed=True) for row in rows])


class DatasourceView(GrafanaView):
    """``datasources/uid/{uid}`` and ``datasources/name/{name}``."""

    def get(self, request: Request, org: str, **found_by: str) -> Response:
        """Show one."""
        row = datasource_list(self.org).filter(**found_by).first()
        if row is None:
            raise NotFoundError("Data source not found")
        self.access.require(READ, row)
        return Response(datasource_json(row, is_listed=False))


class QueryView(GrafanaView):
    """``ds/query``."""

    def post(self, request: Request, org: str) -> HttpResponseBase:
        """Run queries; 400 if one of them failed, as Grafana answers."""
        if not self.access.allows_somewhere(PERMISSION):
            self.access.require(PERMISSION)
        try:
            asked = read_grafana_request(request.data, now_ms=to_ms(utc_now()))
        except DocumentError as error:
            return Response({"message": str(error)}, status=_BAD_REQUEST)
        results = queries_run(
            org=self.org,
            access=self.access,
            request=asked,
            is_gone=gone_of(request._request),  # noqa: SLF001 - the environ is Django's
            adapt=own_model,
        )
        has_failed = any(each.error is not None for each in results.shown())
        status = _BAD_REQUEST if has_failed else 200
        return pieces_response(grafana_json(results), "application/json", status=status)
