"""Who calls a door: a program with a key, or a person's session."""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import BaseAuthentication, CSRFCheck, SessionAuthentication
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.settings import api_settings


def caller_identify(request: HttpRequest) -> None:
    """Set ``request.user`` and ``request.auth`` as the REST API does.

    Raise DRF's NotAuthenticated, AuthenticationFailed or Throttled; PermissionDenied when a
    session's request that changes something lacks its CSRF token.
    """
    for authentication in _programs():
        found = authentication.authenticate(request)  # type: ignore[arg-type]  # they read headers only
        if found is not None:
            request.user, vars(request)["auth"] = found
            return
    user = getattr(request, "user", None)  # a program's request has none yet (runtime.keyed)
    if user is None or not user.is_authenticated:
        raise NotAuthenticated
    _require_csrf_token(request)


def challenge(request: HttpRequest) -> str:
    """Return what WWW-Authenticate says to who has no credentials."""
    first: Any = _programs()[0]
    return str(first.authenticate_header(request))


@cache
def _programs() -> list[BaseAuthentication]:
    classes: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    return [each() for each in classes if not issubclass(each, SessionAuthentication)]


def _require_csrf_token(request: HttpRequest) -> None:
    def nothing(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    check = CSRFCheck(nothing)
    check.process_request(request)
    reason = check.process_view(request, nothing, (), {})
    if reason:
        raise PermissionDenied(f"CSRF Failed: {reason}")
