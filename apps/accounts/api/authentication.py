"""API keys as ``Authorization: Bearer dv_…`` or as the password of HTTP Basic."""

import base64
import binascii

from django.contrib.auth.models import AbstractBaseUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from apps.accounts.models import ApiKey
from apps.accounts.services.apikeys import apikey_authenticate
from apps.accounts.services.signin import (
    FAILURES_FOR_S,
    key_failure_count,
    key_guessing_is_blocked,
)
from apps.accounts.services.tokens import API_KEY_PREFIX, token_key_id
from detectviz.clock import utc_now
from detectviz.observability.context import Actor, current_context

_MAX_HEADER = 1024
CHALLENGE = 'Bearer realm="detectviz"'


class ApiKeyAuthentication(BaseAuthentication):
    """Sets ``request.user`` to whom the key acts for and ``request.auth`` to the key."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, ApiKey] | None:
        """Return user and key; None when the request carries no key; 401 for a wrong one."""
        token = token_of(request.headers.get("Authorization", ""))
        if token is None:
            return None
        address, key_id = current_context().address, token_key_id(token)
        if key_guessing_is_blocked(key_id=key_id, address=address):
            raise Throttled(FAILURES_FOR_S, "Too many wrong API keys. Try again later.")
        key = apikey_authenticate(token=token, now=utc_now())
        if key is None:
            key_failure_count(key_id=key_id, address=address)
            raise AuthenticationFailed("The API key is unknown, expired or revoked.")
        current_context().bind_actor(
            Actor(
                user_id=key.user_id, name=key.user.username, via="apikey", scopes=tuple(key.scopes)
            )
        )
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme of a 401 answer."""
        return CHALLENGE


def token_of(header: str) -> str | None:
    """Return the API key of an Authorization header; None for schemes that are not ours.

    Basic credentials are always ours: the user name does not matter, the password is the key.
    """
    scheme, _, value = header[:_MAX_HEADER].strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "basic":
        return _basic_password(value)
    if scheme.lower() == "bearer" and value.startswith(API_KEY_PREFIX):
        return value
    return None


def _basic_password(value: str) -> str:
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return text.partition(":")[2]


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # ships no types
    """What OpenAPI should know about it."""

    target_class = "apps.accounts.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Describe the bearer form."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "dv_<id>_<secret>"}
