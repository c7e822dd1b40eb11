"""OAuth 2 client credentials (RFC 6749 4.4), the token kept until shortly before it ends."""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from detectviz.contracts.collector import CollectorContext
from detectviz.contracts.config import get_text, get_texts
from detectviz.contracts.errors import ConfigurationError, NetworkError, PluginError
from detectviz.contracts.network import HttpRequest, TlsOptions

MAX_ANSWER_BYTES: Final = 65_536
KEPT_TOKENS: Final = 1_000
# A token is renewed this long before its end, and kept this long where the server says nothing.
MARGIN_S: Final = 30.0
DEFAULT_LIFETIME_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    text: str
    valid_until: float


class TokenCache:
    """Tokens by the configuration they were fetched with; in memory only."""

    def __init__(self) -> None:
        self._tokens: dict[str, _Token] = {}

    async def token(self, context: CollectorContext) -> str:
        """Return a valid token; raise PluginError when the token endpoint gives none."""
        key = _key(context)
        known = self._tokens.get(key)
        if known is not None and known.valid_until > context.monotonic():
            return known.text
        fetched = await _fetch(context)
        if len(self._tokens) >= KEPT_TOKENS:
            self._tokens.clear()
        self._tokens[key] = fetched
        return fetched.text

    def forget(self, context: CollectorContext) -> None:
        """Drop a token that the target refused."""
        self._tokens.pop(_key(context), None)


def _key(context: CollectorContext) -> str:
    config = context.config
    names = ("oauth2_token_url", "oauth2_client_id", "oauth2_audience", "oauth2_auth_method")
    parts = [get_text(config, name) for name in names]
    parts += [*get_texts(config, "oauth2_scopes"), context.secrets.get("oauth2_client_secret", "")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


async def _fetch(context: CollectorContext) -> _Token:
    try:
        response = await context.network.fetch(_request(context))
    except NetworkError as error:
        # The token endpoint is not what is watched: nothing is known about the target.
        raise PluginError(f"No OAuth 2 token: {error.message}") from error
    if response.status_code >= 300:  # noqa: PLR2004 - anything but 2xx is a refusal
        raise PluginError(
            f"No OAuth 2 token: the token URL answered {response.status_code}"
            f"{_reason(response.body)}"
        )
    return _read(response.body, context.monotonic())


def _request(context: CollectorContext) -> HttpRequest:
    config = context.config
    url, client = get_text(config, "oauth2_token_url"), get_text(config, "oauth2_client_id")
    secret = context.secrets.get("oauth2_client_secret", "")
    if not url or not client:
        raise ConfigurationError("Set the token URL and the client id.", field="/oauth2_token_url")
    form = {"grant_type": "client_credentials"}
    scopes, audience = get_texts(config, "oauth2_scopes"), get_text(config, "oauth2_audience")
    form |= {"scope": " ".join(scopes)} if scopes else {}
    form |= {"audience": audience} if audience else {}
    headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept", "application/json"),
    ]
    if get_text(config, "oauth2_auth_method") == "client_secret_post":
        form |= {"client_id": client, "client_secret": secret}
    else:
        pair = f"{quote(client, safe='')}:{quote(secret, safe='')}"
        headers.append(("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
    return HttpRequest(
        url=url,
        method="POST",
        headers=headers,
        body=urlencode(form).encode(),
        timeout_s=context.timeout_s,
        max_body_bytes=MAX_ANSWER_BYTES,
        follow_redirects=False,
        tls=TlsOptions(ca_pem=get_text(config, "ca_pem")),
    )


def _read(body: bytes, now: float) -> _Token:
    try:
        answer = json.loads(body)
        text, lifetime = answer["access_token"], answer.get("expires_in", DEFAULT_LIFETIME_S)
        lifetime_s = float(lifetime)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PluginError("No OAuth 2 token: the answer holds no access_token.") from error
    if not isinstance(text, str) or not text.isprintable():
        raise PluginError("No OAuth 2 token: the access_token is not text.")
    return _Token(text=text, valid_until=now + max(0.0, lifetime_s - MARGIN_S))


def _reason(body: bytes) -> str:
    try:
        answer = json.loads(body)
        return f" ({answer['error']})" if isinstance(answer.get("error"), str) else ""
    except (ValueError, KeyError, AttributeError):
        return ""
