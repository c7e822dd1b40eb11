"""ASGI entry: server-sent events natively, everything else through Django's WSGI handler.

Django's synchronous middlewares cost 1.3 ms a request under ASGI (PERFORMANCE); a thread pool
around WSGI does not, and streams need no thread. Pages and doors have threads of their own, so
that no flood of one keeps people from the other.
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from detectviz.runtime.bridge import Environ, Receive, Scope, Send, WsgiBridge
from detectviz.runtime.keyed import KeyedHandler, is_keyed
from detectviz.runtime.live import LiveHub

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


_pages = WsgiBridge(
    _wsgi, name="pages", threads=PAGE_THREADS, max_body_bytes=settings.MAX_REQUEST_BYTES
)
_doors = WsgiBridge(
    _door,
    name="doors",
    threads=DOOR_THREADS,
    max_body_bytes=settings.MAX_REQUEST_BYTES,
    tenant_of=_org_of,
    per_tenant=DOOR_THREADS_PER_ORG,
)


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


async def _decline(scope: Scope, receive: Receive, send: Send) -> None:
    """Close what is no HTTP request: there are no web sockets."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000})
