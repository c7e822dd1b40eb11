"""ASGI entry: server-sent events natively, everything else through Django's WSGI handler.

Django's synchronous middlewares cost 1.3 ms a request under ASGI (PERFORMANCE); a thread pool
around WSGI does not, and streams need no thread. Pages and doors have threads of their own, so
that no flood of one keeps people from the other; what is heavy goes to a process of its own.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from detectviz.runtime.bridge import Environ, WsgiBridge
from detectviz.runtime.keyed import KeyedHandler, is_keyed
from detectviz.runtime.live import LiveHub
from detectviz.runtime.passage import Passage, Receive, Scope, Send, socket_path

PAGE_THREADS = 4
DOOR_THREADS = 4
DOOR_THREADS_PER_ORG = 2

_DOORS = "/orgs/"


def _org_of(path: str) -> str | None:
    return path[len(_DOORS) :].partition("/")[0]


hub = LiveHub()
_wsgi = get_wsgi_application()
_keyed = KeyedHandler()


def _door(environ: Environ, start_response: Any) -> Iterable[bytes]:
    return (_keyed if is_keyed(environ) else _wsgi)(environ, start_response)


_for_queries = Passage(socket_path(Path(settings.DATA_DIR), "heavy"))
_for_writes = Passage(socket_path(Path(settings.DATA_DIR), "bulk"))
_QUERIES = (
    "api/v1/query",
    "api/v1/series",
    "api/v1/label",
    "api/v1/metadata",
    "api/v1/format_query",
    "api/v1/parse_query",
    "federate",
)


def _door_passage(path: str) -> Passage:
    below = path.partition("/prometheus/")[2]
    return _for_queries if below.startswith(_QUERIES) else _for_writes


def _page_bridge(passage_of: Callable[[str], Passage | None]) -> WsgiBridge:
    return WsgiBridge(
        _wsgi,
        name="pages",
        threads=PAGE_THREADS,
        max_body_bytes=settings.MAX_REQUEST_BYTES,
        passage_of=passage_of,
    )


def _door_bridge(passage_of: Callable[[str], Passage | None]) -> WsgiBridge:
    return WsgiBridge(
        _door,
        name="doors",
        threads=DOOR_THREADS,
        max_body_bytes=settings.MAX_REQUEST_BYTES,
        tenant_of=_org_of,
        per_tenant=DOOR_THREADS_PER_ORG,
        passage_of=passage_of,
    )


_pages, _doors = _page_bridge(lambda _: _for_queries), _door_bridge(_door_passage)
_heavy_pages, _heavy_doors = _page_bridge(lambda _: None), _door_bridge(lambda _: None)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Route one connection."""
    if scope["type"] != "http":
        await _decline(scope, receive, send)
    elif scope["path"].startswith("/live/"):
        await hub.handle(scope, receive, send)
    elif scope["path"].startswith(_DOORS):
        await _doors(scope, receive, send)
    else:
        await _pages(scope, receive, send)


async def heavy_application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, in a process for that, what the web process has no time for."""
    serve = _heavy_doors if scope["path"].startswith(_DOORS) else _heavy_pages
    await serve(scope, receive, send)


async def _decline(scope: Scope, receive: Receive, send: Send) -> None:
    """Close what is no HTTP request: there are no web sockets."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000})
