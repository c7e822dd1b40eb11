"""OAuth 2 client credentials (RFC 6749 4.4), the token kept until shortly before it ends."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote, urlencode

from detectviz.contracts.errors import NetworkError, PluginError
from detectviz.contracts.network import HttpRequest, Network, TlsOptions

MAX_ANSWER_BYTES: Final = 65_536
KEPT_TOKENS: Final = 1_000
# A token is renewed this long before its end, and kept this long where the server says nothing.
MARGIN_S: Final = 30.0
DEFAULT_LIFETIME_S: Final = 300.0

AuthMethod = Literal["client_secret_basic", "client_secret_post"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """Who signs in, where and for what. ``parameters`` are further fields of the form."""

    token_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    audience: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    auth_method: AuthMethod = "client_secret_basic"
    tls: TlsOptions = field(default_factory=TlsOptions)
    proxy_url: str = ""

    @property
    def key(self) -> str:
        """A digest that is equal for equal credentials only."""
        parts = [self.token_url, self.client_id, self.client_secret, *self.scopes]
        parts += [self.audience, self.auth_method, json.dumps(sorted(self.parameters.items()))]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    text: str
    valid_until: float


class TokenCache:
    """Tokens by the credentials they were fetched with; in memory only."""

    def __init__(self) -> None:
        self._tokens: dict[str, _Token] = {}

    async def token(
        self,
        credentials: ClientCredentials,
        *,
        network: Network,
        monotonic: Callable[[], float],
        timeout_s: float,
    ) -> str:
        """Return a valid token; raise PluginError when the token endpoint gives none."""
        key = credentials.key
        known = self._tokens.get(key)
        if known is not None and known.valid_until > monotonic():
            return known.text
        fetched = await _fetch(credentials, network, monotonic, timeout_s)
        if len(self._tokens) >= KEPT_TOKENS:
            self._tokens.clear()
        self._tokens[key] = fetched
        return fetched.text

    def forget(self, credentials: ClientCredentials) -> None:
        """Drop a token that the target refused."""
        self._tokens.pop(credentials.key, None)


async def _fetch(
    credentials: ClientCredentials,
    network: Network,
    monotonic: Callable[[], float],
    timeout_s: float,
) -> _Token:
    try:
        response = await network.fetch(_request(credentials, timeout_s))
    except NetworkError as error:
        # The token endpoint is not what is watched: nothing is known about the target.
        raise PluginError(f"No OAuth 2 token: {error.message}") from error
    if response.status_code >= 300:  # noqa: PLR2004 - anything but 2xx is a refusal
        raise PluginError(
            f"No OAuth 2 token: the token URL answered {response.status_code}"
            f"{_reason(response.body)}"
        )
    return _read(response.body, monotonic())


def _request(credentials: ClientCredentials, timeout_s: float) -> HttpRequest:
    client, secret = credentials.client_id, credentials.client_secret
    form = {"grant_type": "client_credentials"}
    form |= {"scope": " ".join(credentials.scopes)} if credentials.scopes else {}
    form |= {"audience": credentials.audience} if credentials.audience else {}
    form |= credentials.parameters
    headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept", "application/json"),
    ]
    if credentials.auth_method == "client_secret_post":
        form |= {"client_id": client, "client_secret": secret}
    else:
        pair = f"{quote(client, safe='')}:{quote(secret, safe='')}"
        headers.append(("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
    return HttpRequest(
        url=credentials.token_url,
        method="POST",
        headers=headers,
        body=urlencode(form).encode(),
        timeout_s=timeout_s,
        max_body_bytes=MAX_ANSWER_BYTES,
        follow_redirects=False,
        tls=credentials.tls,
        proxy_url=credentials.proxy_url,
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
