"""Let no request leave its org on a connection that the next one uses."""

from collections.abc import Callable

from django.db import connections
from django.http import HttpRequest, HttpResponse

from detectviz.tenancy.context import request_scope

GetResponse = Callable[[HttpRequest], HttpResponse]


class OrgScopeMiddleware:
    """Opens the scope that ``org_access`` and the doors enter, and closes it whatever happens."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request."""
        try:
            with request_scope():
                return self.get_response(request)
        finally:
            _settle()


def _settle() -> None:
    for connection in connections.all(initialized_only=True):
        settle = getattr(connection, "org_settle", None)  # only our PostgreSQL backend has it
        if settle is not None:
            settle()
