"""How a plugin speaks HTTP to what it watches, read from options named as Prometheus names them.

A schema has some of: ``auth`` (none, basic, authorization, oauth2), ``basic_auth`` {username,
password}, ``authorization`` {type, credentials}, ``oauth2`` {client_id, client_secret, token_url,
scopes, endpoint_params}, ``tls_config`` {ca, cert, key, server_name, insecure_skip_verify,
min_version, max_version}, ``proxy`` {url, username, password}, ``follow_redirects``,
``enable_http2``. password, credentials, client_secret and key are secrets.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import quote, urlsplit, urlunsplit

from detectviz.contracts.config import get_bool, get_object, get_text, get_text_map, get_texts
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.network import (
    HttpRequest,
    HttpResponse,
    HttpVersion,
    Network,
    TlsOptions,
    TlsVersion,
)
from detectviz.contracts.oauth2 import ClientCredentials, TokenCache
from detectviz.contracts.types import JsonObject

_UNAUTHORISED: Final = 401
_TLS_NAMES: Final = {"TLS10": "1.0", "TLS11": "1.1", "TLS12": "1.2", "TLS13": "1.3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """How to speak to a target; the same for all targets of a configuration."""

    basic_auth: tuple[str, str] | None = field(default=None, repr=False)
    authorization: str = field(default="", repr=False)
    oauth2: ClientCredentials | None = None
    tls: TlsOptions = field(default_factory=TlsOptions, repr=False)
    proxy_url: str = field(default="", repr=False)
    follow_redirects: bool = True
    version: HttpVersion = "auto"

    @classmethod
    def read(cls, config: JsonObject, secrets: Mapping[str, str]) -> "HttpOptions":
        """Read the options; raise ConfigurationError naming the one that is missing."""
        auth = get_text(config, "auth", "none")
        tls = _tls(get_object(config, "tls_config"), secrets)
        proxy_url = _proxy(get_object(config, "proxy"), secrets)
        return cls(
            basic_auth=_basic(config, secrets) if auth == "basic" else None,
            authorization=_authorization(config, secrets) if auth == "authorization" else "",
            oauth2=_oauth2(config, secrets, tls, proxy_url) if auth == "oauth2" else None,
            tls=tls,
            proxy_url=proxy_url,
            follow_redirects=get_bool(config, "follow_redirects", default=True),
            version="auto" if get_bool(config, "enable_http2", default=True) else "1.1",
        )


class HttpFetcher:
    """Fetches with options; keeps OAuth 2 tokens. One per plugin instance."""

    def __init__(self) -> None:
        self._tokens = TokenCache()

    async def fetch(
        self,
        url: str,
        options: HttpOptions,
        *,
        network: Network,
        monotonic: Callable[[], float],
        timeout_s: float,
        max_body_bytes: int,
        headers: Sequence[tuple[str, str]] = (),
    ) -> HttpResponse:
        """GET ``url``; raise NetworkError, or PluginError when there is no OAuth 2 token."""
        authorization = options.authorization
        if options.oauth2 is not None:
            token = await self._tokens.token(
                options.oauth2, network=network, monotonic=monotonic, timeout_s=timeout_s
            )
            authorization = f"Bearer {token}"
        signed = [("Authorization", authorization)] if authorization else []
        response = await network.fetch(
            HttpRequest(
                url=url,
                headers=(*headers, *signed),
                timeout_s=timeout_s,
                max_body_bytes=max_body_bytes,
                follow_redirects=options.follow_redirects,
                version=options.version,
                tls=options.tls,
                basic_auth=options.basic_auth,
                proxy_url=options.proxy_url,
            )
        )
        if options.oauth2 is not None and response.status_code == _UNAUTHORISED:
            self._tokens.forget(options.oauth2)
        return response


def with_credentials(url: str, username: str, password: str) -> str:
    """Return ``url`` with user name and password, unchanged without a user name."""
    if not url or not username:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    pair = f"{quote(username, safe='')}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{pair}@{host}"))


def _basic(config: JsonObject, secrets: Mapping[str, str]) -> tuple[str, str]:
    username = get_text(get_object(config, "basic_auth"), "username")
    if not username:
        raise ConfigurationError("Set a user name to sign in with.", field="/basic_auth/username")
    return username, secrets.get("basic_auth/password", "")


def _authorization(config: JsonObject, secrets: Mapping[str, str]) -> str:
    credentials = secrets.get("authorization/credentials", "")
    if not credentials:
        raise ConfigurationError("Set the credentials.", field="/authorization/credentials")
    scheme = get_text(get_object(config, "authorization"), "type", "Bearer") or "Bearer"
    return f"{scheme} {credentials}"


def _oauth2(
    config: JsonObject, secrets: Mapping[str, str], tls: TlsOptions, proxy_url: str
) -> ClientCredentials:
    options = get_object(config, "oauth2")
    url, client = get_text(options, "token_url"), get_text(options, "client_id")
    if not url or not client:
        raise ConfigurationError("Set token_url and client_id.", field="/oauth2/token_url")
    return ClientCredentials(
        token_url=url,
        client_id=client,
        client_secret=secrets.get("oauth2/client_secret", ""),
        scopes=get_texts(options, "scopes"),
        parameters=get_text_map(options, "endpoint_params"),
        tls=TlsOptions(ca_pem=tls.ca_pem),
        proxy_url=proxy_url,
    )


def _tls(options: JsonObject, secrets: Mapping[str, str]) -> TlsOptions:
    return TlsOptions(
        verify=not get_bool(options, "insecure_skip_verify"),
        server_name=get_text(options, "server_name"),
        ca_pem=get_text(options, "ca"),
        certificate_pem=get_text(options, "cert"),
        private_key_pem=secrets.get("tls_config/key", ""),
        min_version=_tls_version(options, "min_version", "TLS12"),
        max_version=_tls_version(options, "max_version", "TLS13"),
    )


def _tls_version(options: JsonObject, name: str, default: str) -> TlsVersion:
    return cast("TlsVersion", _TLS_NAMES[get_text(options, name, default) or default])


def _proxy(options: JsonObject, secrets: Mapping[str, str]) -> str:
    return with_credentials(
        get_text(options, "url"), get_text(options, "username"), secrets.get("proxy/password", "")
    )
