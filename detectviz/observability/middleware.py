"""Give every request an id, and say in the context who is calling from where."""

import re
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from detectviz.observability.context import (
    ANONYMOUS,
    Actor,
    RequestContext,
    client_address,
    context,
    current_context,
)
from detectviz.observability.http import request_count

GetResponse = Callable[[HttpRequest], HttpResponse]
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")  # noqa: TID251 - our own constant pattern


class RequestContextMiddleware:
    """Outermost: sets the request id and address, answers with X-Request-ID, and counts."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request inside its context."""
        new = RequestContext(
            address=request_address(request), actor_source=lambda: session_actor(request)
        )
        offered = request.headers.get("X-Request-ID", "")
        if _REQUEST_ID.fullmatch(offered):
            new.request_id = offered
        started = time.perf_counter()
        with context(new):
            response = _refused(request) or self.get_response(request)
        request_count(request, response, time.perf_counter() - started)
        response["X-Request-ID"] = new.request_id
        return response


def _refused(request: HttpRequest) -> HttpResponse | None:
    """Refuse addresses with a NUL, which no name contains and PostgreSQL answers with an error."""
    if "\x00" not in request.path_info and "%00" not in request.META.get("QUERY_STRING", ""):
        return None
    problem = {
        "type": "urn:detectviz:problem:invalid-address",
        "title": "Invalid address",
        "status": 400,
        "code": "invalid-address",
        "detail": "The address must not contain NUL characters.",
    }
    return JsonResponse(problem, status=400, content_type="application/problem+json")


def request_address(request: HttpRequest) -> str | None:
    """Return the caller's address as far as it can be believed."""
    return client_address(
        request.META.get("REMOTE_ADDR", ""),
        request.headers.get("X-Forwarded-For", ""),
        settings.TRUSTED_PROXIES,
    )


def session_actor(request: HttpRequest) -> Actor:
    """Return the actor of a request made in a session."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return ANONYMOUS
    return Actor(user_id=user.pk, name=user.get_username(), via="session")


def axes_address(request: HttpRequest) -> str | None:
    """Return the address django-axes counts failures under."""
    return current_context().address or request_address(request)
