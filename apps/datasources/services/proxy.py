"""The datasource proxy: a plugin's allowed paths, reached with its credentials.

What the caller sent is taken apart and little of it is passed on: the path is normalised, matched
whole against the plugin's list, and written anew; of the headers a few that describe the body.
Redirects are never followed: a datasource must not send us somewhere else with its credentials
(CVE-2022-29170).
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, urlsplit

import re2
from django.db import models

from apps.datasources.errors import NotOfferedError, RefusedError, UpstreamError
from apps.datasources.selectors.resolution import ResolvedDatasource
from apps.datasources.services.calls import (
    TIMEOUT_S,
    call_place,
    datasource_call,
    plugin_failure,
)
from detectviz.contracts.datasource import DatasourceContext, ProxyRoute
from detectviz.contracts.errors import PluginError
from detectviz.contracts.network import HttpClient, HttpRequest, HttpResponse
from detectviz.resources.errors import DomainError, InvalidFieldsError

MAX_BODY_BYTES: Final = 16 << 20
LONGEST_QUERY: Final = 16_384
LONGEST_PATH: Final = 2048
Headers = Sequence[tuple[str, str]]
REQUEST_HEADERS: Final = frozenset({"accept", "accept-language", "content-type"})
RESPONSE_HEADERS: Final = frozenset(
    {"content-type", "content-language", "etag", "last-modified", "retry-after"}
)
_REFUSALS: Final = frozenset({401, 403, 407})
_ENCODED: Final = ("%2f", "%5c", "%2e", "%25", "%00")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyRequest:
    """What came in. ``path`` is decoded once; ``raw_path`` is as it stood, "" if nobody knows."""

    method: str
    path: str
    raw_path: str = ""
    query: str = ""
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyAnswer:
    """What may go back."""

    status_code: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def proxy_call(
    *, org: models.Model, resolved: ResolvedDatasource, request: ProxyRequest
) -> ProxyAnswer:
    """Pass one request on; raise a DomainError for what is not allowed and what does not answer."""
    path = proxy_path(request.path, request.raw_path)
    url = _url(resolved.settings.url, path, request.query)
    started = time.perf_counter()
    outcome = "refused"
    try:
        lent = datasource_call(
            org=org,
            resolved=resolved,
            operation="proxy_headers",
            work=lambda plugin, context: _lent(plugin, context, request.method, path),
        )
        if lent is None:
            raise NotOfferedError(
                f"The proxy of this datasource does not let {request.method} of this path through."
            )
        with call_place(org.pk):
            response = _fetch(lent, url, request, secrets=resolved.settings.secrets)
        outcome = str(response.status_code)
        return _answer(response)
    finally:
        # Neither host nor path nor parameters: they may tell what a log must not keep.
        logger.info(
            "datasource proxy org=%s datasource=%s method=%s outcome=%s took_s=%.3f",
            org,
            resolved.uid,
            request.method,
            outcome,
            time.perf_counter() - started,
        )


def proxy_path(path: str, raw_path: str = "") -> str:
    """Return the path without a leading slash, or raise InvalidFieldsError.

    Refused are dot segments, empty segments, backslashes, control characters, whatever is still
    encoded after decoding once, and encoded separators: servers disagree on what they mean.
    """
    text = path.removeprefix("/")
    segments = text.split("/")
    is_wrong = (
        len(text) > LONGEST_PATH
        or any(segment in {".", ".."} for segment in segments)
        or "" in segments[:-1]
        or any(char in "\\%?#;" or not char.isprintable() for char in text)
        or any(word in raw_path.lower() for word in _ENCODED)
    )
    if is_wrong:
        raise InvalidFieldsError(
            {"path": ["Write the path plainly: no dot or empty segments, no encoded slashes."]}
        )
    return text


def is_allowed(routes: Iterable[ProxyRoute], method: str, path: str) -> bool:
    """Say whether one of a plugin's routes matches all of ``path``."""
    return any(route.method == method and _pattern(route.path).fullmatch(path) for route in routes)


def _lent(
    plugin: Any, context: DatasourceContext, method: str, path: str
) -> tuple[HttpClient, Headers] | None:
    """Return the way out and the headers that authenticate; None for a path not let through."""
    if not is_allowed(plugin.proxy_routes, method, path):
        return None
    return context.http, [(str(name), str(value)) for name, value in plugin.proxy_headers(context)]


def _fetch(
    lent: tuple[HttpClient, Headers],
    url: str,
    request: ProxyRequest,
    *,
    secrets: Mapping[str, str],
) -> HttpResponse:
    http, own = lent
    replaced = {name.lower() for name, _ in own}
    kept = [row for row in request.headers if row[0].lower() in REQUEST_HEADERS - replaced]
    try:
        return http.fetch(
            HttpRequest(
                url=url,
                method=request.method,
                headers=[*kept, *own],
                body=request.body if request.method == "POST" else b"",
                timeout_s=TIMEOUT_S,
                follow_redirects=False,
                max_body_bytes=MAX_BODY_BYTES,
            )
        )
    except PluginError as error:
        raise plugin_failure(error, secrets=secrets) from error


def _url(base: str, path: str, query: str) -> str:
    parts = urlsplit(base)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise NotOfferedError("The URL of this datasource is none that a proxy can stand before.")
    if len(query) > LONGEST_QUERY or not query.isascii() or not query.isprintable():
        raise InvalidFieldsError(
            {"query": [f"At most {LONGEST_QUERY} characters, encoded as in a URL."]}
        )
    address = f"{base.rstrip('/')}/{quote(path, safe='/:@!$&()*+,=~-._')}"
    return f"{address}?{query}" if query else address


def _answer(response: HttpResponse) -> ProxyAnswer:
    problem = _problem(response)
    if problem is not None:
        raise problem
    headers = tuple(
        (name, value) for name, value in response.headers if name.lower() in RESPONSE_HEADERS
    )
    return ProxyAnswer(status_code=response.status_code, headers=headers, body=response.body)


def _problem(response: HttpResponse) -> DomainError | None:
    status = response.status_code
    if 300 <= status < 400:  # noqa: PLR2004 - the redirects
        return UpstreamError("The datasource redirects elsewhere; the proxy follows no redirect.")
    if status in _REFUSALS:
        # As it is, it would tell the browser that it is the one who must sign in.
        return UpstreamError(
            f"The datasource refused the credentials it is configured with ({status})."
        )
    if response.body_truncated:
        return RefusedError(
            f"The answer is larger than {MAX_BODY_BYTES} bytes; ask for less.", status_code=413
        )
    return None


@lru_cache(maxsize=1024)
def _pattern(text: str) -> Any:
    return re2.compile(text)
