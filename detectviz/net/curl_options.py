"""One hop of an HTTP exchange as libcurl options: the only place that sets them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

import pycurl

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.network import HttpRequest, TlsOptions
from detectviz.net.trust import bundle_path

DNS_CACHE_S: Final = 5
METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
# Everything else a caller adds may be a secret and stays with the origin it was meant for.
HEADERS_FOR_ANYONE: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "cache-control", "pragma", "user-agent"}
)
USER_AGENT: Final = "Detectviz/0.1"
# X25519 first: OpenSSL's default adds a post-quantum share that costs a sixth of the handshake.
TLS_GROUPS: Final = "X25519:P-256:P-384:P-521:X25519MLKEM768"

_HTTP_VERSIONS: Final = {
    "auto": pycurl.CURL_HTTP_VERSION_2TLS,
    "1.0": pycurl.CURL_HTTP_VERSION_1_0,
    "1.1": pycurl.CURL_HTTP_VERSION_1_1,
    "2": pycurl.CURL_HTTP_VERSION_2_0,
    "3": pycurl.CURL_HTTP_VERSION_3ONLY,
}
_IP_FAMILIES: Final = {
    "auto": pycurl.IPRESOLVE_WHATEVER,
    "ipv4": pycurl.IPRESOLVE_V4,
    "ipv6": pycurl.IPRESOLVE_V6,
}
_TLS_MIN: Final = {
    "1.0": pycurl.SSLVERSION_TLSv1_0,
    "1.1": pycurl.SSLVERSION_TLSv1_1,
    "1.2": pycurl.SSLVERSION_TLSv1_2,
    "1.3": pycurl.SSLVERSION_TLSv1_3,
}
_TLS_MAX: Final = {
    "1.0": pycurl.SSLVERSION_MAX_TLSv1_0,
    "1.1": pycurl.SSLVERSION_MAX_TLSv1_1,
    "1.2": pycurl.SSLVERSION_MAX_TLSv1_2,
    "1.3": pycurl.SSLVERSION_MAX_TLSv1_3,
}
_WEAK_TLS: Final = frozenset({"1.0", "1.1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One request of an exchange. ``is_first_origin`` says that secrets may go along."""

    url: str
    method: str
    body: bytes
    headers: Sequence[tuple[str, str]]
    is_first_origin: bool = True
    cookies: tuple[bytes, ...] = ()

    @property
    def is_tls(self) -> bool:
        """Whether the scheme is https."""
        return self.url[:6].lower() == "https:"


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port, the default port filled in."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme.lower())
    return parts.scheme.lower(), (parts.hostname or "").lower(), port


def first_hop(request: HttpRequest) -> Hop:
    """Check what the caller wrote and make the first hop of it; raise ConfigurationError."""
    _check_text(request)
    return Hop(
        url=_ascii_url(request.url),
        method=request.method.upper(),
        body=request.body,
        headers=request.headers,
    )


def _check_text(request: HttpRequest) -> None:
    try:
        parts = urlsplit(request.url)
        usable = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)
        usable = usable and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or any(ord(char) <= 0x20 or ord(char) == 0x7F for char in request.url):  # noqa: PLR2004 - the ASCII control characters
        raise ConfigurationError(
            "the URL must be http:// or https:// with a host, without spaces", field="/url"
        )
    if not request.method.isascii() or not request.method.isalpha():
        raise ConfigurationError("the method must be letters, such as GET", field="/method")
    for name, value in request.headers:
        if not name or any(char in name + value for char in "\r\n\0") or ":" in name:
            raise ConfigurationError(
                f"header {name!r} contains a line break, a colon in its name, or no name",
                field="/headers",
            )


def _ascii_url(url: str) -> str:
    if url.isascii():
        return url
    parts = urlsplit(url)
    safe = "%/:=&?~#+!$,;'@()*[]"
    return urlunsplit(
        parts._replace(
            path=quote(parts.path, safe=safe), query=quote(parts.query, safe=safe), fragment=""
        )
    )


def next_hop(hop: Hop, url: str, status_code: int, cookies: Sequence[bytes]) -> Hop:
    """Follow a redirect as browsers do (RFC 9110 15.4), leaving secrets behind on a new origin."""
    is_first_origin = hop.is_first_origin and origin_of(url) == origin_of(hop.url)
    headers = hop.headers
    if not is_first_origin:
        headers = [row for row in headers if row[0].lower() in HEADERS_FOR_ANYONE]
    is_post = hop.method == "POST"
    becomes_get = status_code == 303 or (status_code in {301, 302} and is_post)  # noqa: PLR2004 - See Other
    if becomes_get and hop.method != "HEAD":
        kept = [row for row in headers if not row[0].lower().startswith("content-")]
        hop = replace(hop, method="GET", body=b"", headers=kept)
    else:
        hop = replace(hop, headers=headers)
    return replace(hop, url=url, is_first_origin=is_first_origin, cookies=tuple(cookies))


def set_hop(curl: pycurl.Curl, request: HttpRequest, hop: Hop, *, timeout_s: float) -> None:
    """Put one hop onto a fresh handle; body, headers and guard callbacks are the caller's."""
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.FOLLOWLOCATION, 0)
    curl.setopt(pycurl.FRESH_CONNECT, 1)
    curl.setopt(pycurl.FORBID_REUSE, 1)
    curl.setopt(pycurl.DNS_CACHE_TIMEOUT, DNS_CACHE_S)
    curl.setopt(pycurl.TIMEOUT_MS, max(1, round(timeout_s * 1000)))
    curl.setopt(pycurl.PROXY, request.proxy_url)  # empty: the environment's proxies are not used
    curl.setopt(pycurl.HTTP_VERSION, _HTTP_VERSIONS[request.version])
    if request.ip_family != "auto":
        curl.setopt(pycurl.IPRESOLVE, _IP_FAMILIES[request.ip_family])
    if request.source_address:
        curl.setopt(pycurl.INTERFACE, f"host!{request.source_address}")
    if request.decompress:
        curl.setopt(pycurl.ACCEPT_ENCODING, "")
    curl.setopt(pycurl.COOKIEFILE, "")
    for cookie in hop.cookies:
        curl.setopt(pycurl.COOKIELIST, cookie)
    _set_message(curl, hop)
    _set_target(curl, request, hop)
    if hop.is_first_origin:
        _set_credentials(curl, request)
    if hop.is_tls:
        _set_tls(curl, request.tls, is_first_origin=hop.is_first_origin)


def _set_message(curl: pycurl.Curl, hop: Hop) -> None:
    names = {name.lower() for name, _ in hop.headers}
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in hop.headers]
    if "user-agent" not in names:
        curl.setopt(pycurl.USERAGENT, USER_AGENT)
    if hop.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    elif hop.body or hop.method in METHODS_WITH_BODY:
        curl.setopt(pycurl.POSTFIELDS, hop.body)
        lines.append("Expect:")
        if "content-type" not in names:
            lines.append("Content-Type:")
    if hop.method not in {"GET", "HEAD"} or hop.body:
        curl.setopt(pycurl.CUSTOMREQUEST, hop.method)
    if lines:
        curl.setopt(pycurl.HTTPHEADER, [line.encode() for line in lines])


def _set_target(curl: pycurl.Curl, request: HttpRequest, hop: Hop) -> None:
    """Set the URL; pinned addresses and another SNI go through CONNECT_TO, which never caches."""
    parts = urlsplit(hop.url)
    host = parts.hostname or ""
    port = origin_of(hop.url)[2]
    pinned = {name.lower(): address for name, address in request.resolve.items()}.get(host)
    name = request.tls.server_name if hop.is_first_origin and parts.scheme == "https" else ""
    if name and name.lower() != host:
        userinfo, at, _ = parts.netloc.rpartition("@")
        renamed = parts._replace(netloc=f"{userinfo}{at}{name}:{port}")
        curl.setopt(pycurl.URL, renamed.geturl().encode())
        curl.setopt(pycurl.CONNECT_TO, [f"{name}:{port}:{_bracket(pinned or host)}:{port}"])
        if not any(header.lower() == "host" for header, _ in hop.headers):
            headers = [*hop.headers, ("Host", parts.netloc.rpartition("@")[2])]
            _set_message(curl, replace(hop, headers=headers))
        return
    curl.setopt(pycurl.URL, hop.url.encode())
    if pinned:
        curl.setopt(pycurl.CONNECT_TO, [f"{_bracket(host)}:{port}:{_bracket(pinned)}:{port}"])


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _set_credentials(curl: pycurl.Curl, request: HttpRequest) -> None:
    for kind, pair in (
        (pycurl.HTTPAUTH_BASIC, request.basic_auth),
        (pycurl.HTTPAUTH_DIGEST, request.digest_auth),
        (pycurl.HTTPAUTH_NTLM, request.ntlm_auth),
    ):
        if pair is None:
            continue
        if kind == pycurl.HTTPAUTH_NTLM and not can_speak_ntlm():
            raise ConfigurationError("the libcurl in use was built without NTLM", field="/auth")
        curl.setopt(pycurl.HTTPAUTH, kind)
        curl.setopt(pycurl.USERNAME, pair[0])
        curl.setopt(pycurl.PASSWORD, pair[1])


def can_speak_ntlm() -> bool:
    """Tell whether the libcurl in use has NTLM; the wheels of pycurl do not."""
    return bool(pycurl.version_info()[4] & pycurl.VERSION_NTLM)


def _set_tls(curl: pycurl.Curl, tls: TlsOptions, *, is_first_origin: bool) -> None:
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    curl.setopt(pycurl.SSL_EC_CURVES, TLS_GROUPS)
    curl.setopt(pycurl.SSLVERSION, _TLS_MIN[tls.min_version] | _TLS_MAX[tls.max_version])
    if tls.min_version in _WEAK_TLS:
        curl.setopt(pycurl.SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0")
    if tls.ca_pem:
        curl.setopt(pycurl.CAINFO_BLOB, tls.ca_pem)
    else:
        curl.setopt(pycurl.CAINFO, bundle_path())
    curl.setopt(pycurl.OPT_CERTINFO, 1)
    if not tls.verify:
        curl.setopt(pycurl.SSL_VERIFYPEER, 0)
        curl.setopt(pycurl.SSL_VERIFYHOST, 0)
    if tls.certificate_pem and is_first_origin:
        curl.setopt(pycurl.SSLCERT_BLOB, tls.certificate_pem)
        curl.setopt(pycurl.SSLKEY_BLOB, tls.private_key_pem or tls.certificate_pem)
        curl.setopt(pycurl.SSLCERTTYPE, "PEM")
        if tls.private_key_password:
            curl.setopt(pycurl.KEYPASSWD, tls.private_key_password)
