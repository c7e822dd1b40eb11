"""From a configuration to one request."""

import secrets as random_source
from collections.abc import Mapping
from typing import Final, cast
from urllib.parse import urlsplit, urlunsplit

from detectviz.contracts.collector import CollectorContext
from detectviz.contracts.config import get_bool, get_int, get_text, get_text_map
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.http_options import with_credentials
from detectviz.contracts.network import (
    HttpRequest,
    HttpVersion,
    IpFamily,
    TlsOptions,
    TlsVersion,
)
from detectviz.contracts.types import JsonObject

CACHE_BUST_PARAMETER: Final = "detectviz_nocache"
_CONTENT_TYPES: Final = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "xml": "application/xml; charset=utf-8",
    "text": "text/plain; charset=utf-8",
}
_PAIRED: Final = frozenset({"basic", "digest"})


def build_request(context: CollectorContext) -> HttpRequest:
    """Return the request of ``context``, but for an OAuth 2 token and the cache-busting nonce."""
    config, secrets = context.config, context.secrets
    auth = get_text(config, "auth", "none")
    bearer = secrets.get("bearer_token", "") if auth == "bearer" else ""
    pair = _credentials(config, secrets) if auth in _PAIRED else None
    return HttpRequest(
        url=get_text(config, "url"),
        method=get_text(config, "method", "GET"),
        headers=_headers(config, secrets, bearer),
        body=get_text(config, "body").encode(),
        timeout_s=context.timeout_s,
        max_redirects=get_int(config, "max_redirects", 10),
        follow_redirects=get_bool(config, "follow_redirects", default=True),
        max_body_bytes=get_int(config, "max_body_bytes", 1_048_576),
        version=cast("HttpVersion", get_text(config, "http_version", "auto")),
        ip_family=cast("IpFamily", get_text(config, "ip_family", "auto")),
        tls=tls_options(config, secrets),
        basic_auth=pair if auth == "basic" else None,
        digest_auth=pair if auth == "digest" else None,
        proxy_url=_proxy(config, secrets),
        source_address=get_text(config, "source_address"),
        resolve=_pinned(config),
        decompress=get_text(config, "compression", "auto") != "identity",
    )


def tls_options(config: JsonObject, secrets: Mapping[str, str]) -> TlsOptions:
    """Return how to speak TLS."""
    return TlsOptions(
        verify=get_bool(config, "verify_tls", default=True),
        server_name=get_text(config, "server_name"),
        ca_pem=get_text(config, "ca_pem"),
        certificate_pem=get_text(config, "client_certificate_pem"),
        private_key_pem=secrets.get("client_key_pem", ""),
        private_key_password=secrets.get("client_key_password", ""),
        min_version=cast("TlsVersion", get_text(config, "min_tls_version", "1.2")),
        max_version=cast("TlsVersion", get_text(config, "max_tls_version", "1.3")),
    )


def _credentials(config: JsonObject, secrets: Mapping[str, str]) -> tuple[str, str]:
    username = get_text(config, "username")
    if not username:
        raise ConfigurationError("Set a user name to sign in with.", field="/username")
    return username, secrets.get("password", "")


def bust_caches(url: str) -> str:
    """Return ``url`` with a query parameter no cache has seen."""
    parts = urlsplit(url)
    nonce = f"{CACHE_BUST_PARAMETER}={random_source.token_hex(8)}"
    return urlunsplit(parts._replace(query=f"{parts.query}&{nonce}" if parts.query else nonce))


def _headers(
    config: JsonObject, secrets: Mapping[str, str], bearer: str
) -> tuple[tuple[str, str], ...]:
    headers = get_text_map(config, "headers")
    names = {name.lower() for name in headers}
    if get_text(config, "body") and "content-type" not in names:
        headers["Content-Type"] = _CONTENT_TYPES[get_text(config, "body_encoding", "json")]
    compression = get_text(config, "compression", "auto")
    if compression != "auto" and "accept-encoding" not in names:
        headers["Accept-Encoding"] = compression
    if bearer:
        headers["Authorization"] = bearer_header(bearer)
    secret_name = get_text(config, "secret_header_name")
    if secret_name and secrets.get("secret_header_value"):
        headers[secret_name] = secrets["secret_header_value"]
    return tuple(headers.items())


def bearer_header(token: str) -> str:
    """Return the value of the Authorization header."""
    return f"Bearer {token}"


def _proxy(config: JsonObject, secrets: Mapping[str, str]) -> str:
    return with_credentials(
        get_text(config, "proxy_url"),
        get_text(config, "proxy_username"),
        secrets.get("proxy_password", ""),
    )


def _pinned(config: JsonObject) -> dict[str, str]:
    address = get_text(config, "connect_to")
    host = urlsplit(get_text(config, "url")).hostname
    return {host: address} if address and host else {}
