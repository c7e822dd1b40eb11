"""Tokens: made from 256 random bits, stored as keyed digests, compared in constant time."""

import hmac
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

from django.conf import settings

from detectviz.crypto.keys import derived_key

API_KEY_PREFIX = "dv_"
_ID_BYTES = 6
_SECRET_BYTES = 32
_MAX_TOKEN = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A fresh token: ``token`` goes to its owner once, ``digest`` into the database."""

    key_id: str
    token: str = field(repr=False)
    digest: str = field(repr=False)


def api_token_new() -> NewToken:
    """Make an API key ``dv_<id>_<secret>``; the id is looked up, the secret proves."""
    key_id = secrets.token_hex(_ID_BYTES)
    token = f"{API_KEY_PREFIX}{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return NewToken(key_id=key_id, token=token, digest=token_digest(token))


def link_token_new() -> NewToken:
    """Make a token for a link; it is looked up by its digest."""
    token = secrets.token_urlsafe(_SECRET_BYTES)
    return NewToken(key_id="", token=token, digest=token_digest(token))


def token_digest(token: str) -> str:
    """Return HMAC-SHA256 of the token under a pepper that is not in the database."""
    return hmac.new(_pepper(settings.SECRET_KEY), token.encode(), sha256).hexdigest()


def token_matches(token: str, digest: str) -> bool:
    """Compare without telling by time how much of it is right."""
    return hmac.compare_digest(token_digest(token), digest)


def token_key_id(token: str) -> str:
    """Return the id inside an API key, "" when it is not one."""
    prefix, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    is_key = f"{prefix}_" == API_KEY_PREFIX and key_id and secret and len(token) <= _MAX_TOKEN
    return key_id if is_key else ""


@lru_cache(maxsize=4)
def _pepper(secret_key: str) -> bytes:
    return derived_key(secret_key.encode(), "token-pepper")
