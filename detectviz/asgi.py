"""ASGI entry: server-sent events natively, everything else through Django's WSGI handler.

Django's synchronous middlewares cost 1.3 ms a request under ASGI (PERFORMANCE); a thread pool
around WSGI does not, and streams need no thread.
"""

from collections.abc import MutableMapping
from typing import Any

from a2wsgi import WSGIMiddleware
from django.core.wsgi import get_wsgi_application

from detectviz.runtime.live import LiveHub, Receive, Send

THREADS = 4

hub = LiveHub()
# a2wsgi types ASGI with its own dictionaries, Django types WSGI with its own responses.
_wsgi: Any = get_wsgi_application()
_django: Any = WSGIMiddleware(_wsgi, workers=THREADS)


async def application(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Route one connection."""
    if scope["type"] == "http" and scope["path"].startswith("/live/"):
        await hub.handle(scope, receive, send)
    else:
        await _django(scope, receive, send)
