"""Server-sent events: one hub per web process, one bounded queue per open page."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.db import close_old_connections
from django.http import HttpRequest
from django.http.cookie import parse_cookie

from detectviz.permissions.access import access_of
from detectviz.tenancy.selectors import org_get

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

QUEUE_LENGTH = 200
KEEPALIVE_S = 15.0

logger = logging.getLogger(__name__)


class LiveHub:
    """Fans signals out to the open pages of an org."""

    def __init__(self) -> None:
        self._queues: dict[int, set[asyncio.Queue[bytes]]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None

    def publish(self, message: Mapping[str, Any]) -> None:
        """Take a signal ``{"org": id, "event": name, "data": {…}}`` from any thread."""
        if self._loop is not None and "org" in message:
            self._loop.call_soon_threadsafe(self._spread, message)

    def _spread(self, message: Mapping[str, Any]) -> None:
        data = orjson.dumps(message.get("data", {})).decode()
        frame = f"event: {message['event']}\ndata: {data}\n\n".encode()
        for queue in self._queues.get(int(message["org"]), ()):
            if queue.full():
                # A page too slow to follow reads everything again instead of a backlog.
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(b"event: reload\ndata: {}\n\n")
            else:
                queue.put_nowait(frame)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer ``GET /live/{org}``: a stream for a member with a session, else 404."""
        self._loop = asyncio.get_running_loop()
        org_id = await _authorised_org(scope)
        if org_id is None:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_LENGTH)
        self._queues[org_id].add(queue)
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await self._stream(scope, queue, send, gone)
        finally:
            gone.cancel()
            self._queues[org_id].discard(queue)

    async def _stream(
        self, scope: Scope, queue: asyncio.Queue[bytes], send: Send, gone: "asyncio.Future[None]"
    ) -> None:
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"retry: 2000\n\n", "more_body": True})
        while not gone.done():
            waiting = asyncio.ensure_future(queue.get())
            both: set[asyncio.Future[Any]] = {waiting, gone}
            await asyncio.wait(both, timeout=KEEPALIVE_S, return_when="FIRST_COMPLETED")
            if gone.done():
                waiting.cancel()
                return
            if waiting.done():
                frame = waiting.result()
            else:
                waiting.cancel()
                # The pause is also when a revoked session or membership ends the stream.
                if await _authorised_org(scope) is None:
                    break
                frame = b": still here\n\n"
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@sync_to_async
def _authorised_org(scope: Scope) -> int | None:
    """Return the org's id if the request's session belongs to an active member."""
    close_old_connections()
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    cookies = parse_cookie(headers.get("cookie", ""))
    request = HttpRequest()
    request.session = SessionStore(cookies.get(settings.SESSION_COOKIE_NAME))
    user = get_user(request)
    org = org_get(name=scope["path"].removeprefix("/live/"))
    if org is None or not user.is_authenticated or not user.is_active:
        return None
    access = access_of(user, org)
    return int(org.pk) if access.is_member else None
