"""Who may read ``/metrics`` on the web port.

The numbers are the platform's, over all organisations: its administrators may read them, whoever
holds DETECTVIZ_METRICS_TOKEN, and programs on this machine while nothing stands in front of us.
"""

import hmac
import ipaddress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.settings import api_settings

from detectviz.permissions.patterns import PermissionSet
from detectviz.permissions.requests import Credential

PERMISSION = "metrics:read"  # what the scopes of an administrator's API key must include
FORWARDING = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"})  # noqa: S104 - names that are compared, nothing is bound
_HOW = (
    "sign in as a platform administrator, send an administrator's API key or "
    "DETECTVIZ_METRICS_TOKEN as bearer token, or scrape the sys port.\n"
)


def reader_check(request: HttpRequest) -> HttpResponse | None:
    """Return None for those who may read, else the answer to give."""
    if is_local(request) or has_token(request):
        return None
    # What is a dotted name in the settings has been imported by DRF; its stubs know only the name.
    classes: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    drf_request = Request(request, authenticators=[authentication() for authentication in classes])
    try:
        user = drf_request.user
    except APIException as error:
        return _refusal(f"{error.detail}\n", status=error.status_code)
    if not user.is_authenticated:
        return _refusal(f"Metrics are not public: {_HOW}", status=HTTPStatus.UNAUTHORIZED)
    credential = drf_request.auth
    is_in_scope = not isinstance(credential, Credential) or PermissionSet(credential.scopes).allows(
        PERMISSION
    )
    if user.is_active and user.is_superuser and is_in_scope:
        return None
    return _refusal(
        f"Metrics are the platform's, of all organisations: {_HOW}", status=HTTPStatus.FORBIDDEN
    )


def is_local(request: HttpRequest) -> bool:
    """Say whether a program of this machine asks, and no proxy of this machine in its place.

    Behind a proxy every peer is local. One is there when it says so, and when the address users
    know us by is not this machine's own.
    """
    try:
        peer = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    is_fronted = any(name in request.headers for name in FORWARDING)
    return peer.is_loopback and not is_fronted and _external_host() in LOCAL_NAMES


def has_token(request: HttpRequest) -> bool:
    """Say whether the request carries DETECTVIZ_METRICS_TOKEN."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    expected = settings.METRICS_TOKEN
    return (
        bool(expected)
        and scheme.lower() == "bearer"
        and hmac.compare_digest(value.strip().encode(), expected.encode())
    )


def _external_host() -> str:
    return urlsplit(settings.EXTERNAL_URL).hostname or ""


def _refusal(text: str, *, status: int) -> HttpResponse:
    answer = HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    if status == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = 'Bearer realm="detectviz"'
    return answer
