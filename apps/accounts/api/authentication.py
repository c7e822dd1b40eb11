"""API keys as ``Authorization: Bearer dv_…`` or as the password of HTTP Basic, and tokens."""

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from apps.accounts.models import ApiKey
from apps.accounts.services.apikeys import apikey_authenticate
from apps.accounts.services.identities import identity_authenticate
from apps.accounts.services.signin import (
    FAILURES_FOR_S,
    key_failure_count,
    key_guessing_is_blocked,
)
from apps.accounts.services.tokens import API_KEY_PREFIX, token_key_id
from detectviz.clock import utc_now
from detectviz.contracts.auth import BearerToken
from detectviz.observability.context import Actor, current_context

_MAX_HEADER = 1024
_MAX_TOKEN = 16_384
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


@dataclass(frozen=True, slots=True)
class TokenCall:
    """What ``request.auth`` is when somebody called with a token: it narrows nothing."""

    username: str


class PluginAuthentication(BaseAuthentication):
    """Tokens of outside identity providers, judged by the configured auth plugins."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, TokenCall] | None:
        """Return the person; None when no plugin is configured or there is no token."""
        if not settings.AUTH_PLUGINS:
            return None
        token = bearer_of(request.headers.get("Authorization", ""))
        if token is None:
            return None
        address = current_context().address
        key_id = f"token-{sha256(token.encode()).hexdigest()[:16]}"
        if key_guessing_is_blocked(key_id=key_id, address=address):
            raise Throttled(FAILURES_FOR_S, "Too many wrong tokens. Try again later.")
        user = identity_authenticate(credentials=BearerToken(token=token))
        if user is None:
            key_failure_count(key_id=key_id, address=address)
            raise AuthenticationFailed("The token is not valid, or it names nobody known here.")
        current_context().bind_actor(Actor(user_id=user.pk, name=user.username, via="token"))
        return user, TokenCall(user.username)

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme of a 401 answer."""
        return CHALLENGE


def bearer_of(header: str) -> str | None:
    """Return the bearer token of an Authorization header, None for what is ours or none."""
    scheme, _, value = header.strip().partition(" ")
    token = value.strip()
    is_ours = token.startswith(API_KEY_PREFIX)
    if scheme.lower() != "bearer" or not token or is_ours or len(token) > _MAX_TOKEN:
        return None
    return token


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


class PluginScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # ships no types
    """What OpenAPI should know about it."""

    target_class = "apps.accounts.api.authentication.PluginAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Describe the token."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
