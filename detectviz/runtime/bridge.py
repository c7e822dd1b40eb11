"""Django's WSGI handler behind the ASGI server: one thread and one hop per request.

A request's body is read by the event loop before a thread is taken, so a slow sender costs
nothing; an answer that is not a stream goes back in one piece. Requests of one tenant never hold
all threads: the others of that tenant wait in the loop. What takes too much of this process is
handed to another one (docs/adr/0013).
"""

import asyncio
import contextvars
import logging
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import IO, Any

from detectviz.runtime.passage import Message, Passage, Receive, Scope, Send
from detectviz.runtime.refusals import RefusedError, refuse
from detectviz.runtime.shares import Shares

GONE_KEY = "detectviz.gone"  # in the WSGI environ: an Event, set when nobody waits for the answer

Environ = dict[str, Any]

_IN_MEMORY_BYTES = 1 << 20
_MOST_WAITING = 64
_REFUSED_AFTER_S = 1.0  # who does not wait as told would else keep the server busy with refusals
_LARGE_BODY_BYTES = 1 << 17
_PATIENCE_S = 0.1
_STRANGERS = frozenset({401, 403, 404})  # what such a request cost is not the org's doing

logger = logging.getLogger(__name__)


class Patience(threading.Event):
    """Set when the client has hung up, or when the thread has worked for ``seconds`` of CPU.

    Only who can stop and be asked again anywhere looks at it, so ``has_ended`` means that the
    request may be handed over.
    """

    def __init__(self, seconds: float | None) -> None:
        super().__init__()
        self.has_ended = False
        self._seconds = seconds
        self._ends_at = float("inf")

    def begin(self) -> None:
        """Begin to count, in the thread that works."""
        if self._seconds is not None:
            self._ends_at = time.thread_time() + self._seconds

    def is_set(self) -> bool:
        """Tell whether to stop."""
        if time.thread_time() > self._ends_at:
            self.has_ended = True
        return self.has_ended or super().is_set()


@dataclass(slots=True)
class _Turnstile:
    """Lets a few requests of one tenant through at a time."""

    slots: asyncio.Semaphore
    waiting: int = 0


@dataclass(slots=True)
class _Answer:
    """What the application said, and its body if that is not a stream."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    is_sent: bool = False
    cpu_s: float = 0.0

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        """Take WSGI's ``start_response``."""
        self.status = int(status[:3])
        self.headers = [
            (name.lower().encode("latin1"), value.encode("latin1")) for name, value in headers
        ]
        return lambda _: None

    @property
    def length(self) -> int | None:
        """What Content-Length says."""
        return next((int(value) for name, value in self.headers if name == b"content-length"), None)

    def head(self) -> Message:
        """Return the message that begins the answer."""
        return {"type": "http.response.start", "status": self.status, "headers": self.headers}


class WsgiBridge:
    """Serves a WSGI application from ``threads`` threads.

    ``tenant_of`` names whose request a path is, or None; a tenant gets at most ``per_tenant``
    threads. Bodies beyond ``max_body_bytes`` are refused with 413, and with 503 what would have
    to wait behind 64 others of its tenant.

    Through the passage of a path, if there is one and it is open, goes what this process has no
    time for: requests of a tenant that has used up its share, large bodies of tenants, and what
    looked at ``GONE_KEY`` when it had worked for 0.1 s. A tenant nobody shares the process with is
    served here whatever it asks: the passage costs a millisecond a request.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        *,
        name: str,
        threads: int,
        max_body_bytes: int,
        tenant_of: Callable[[str], str | None] = lambda _: None,
        per_tenant: int | None = None,
        passage_of: Callable[[str], Passage | None] = lambda _: None,
        shares: Shares | None = None,
    ) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._max_body_bytes = max_body_bytes
        self._tenant_of = tenant_of
        self._per_tenant = per_tenant or threads
        self._turnstiles: dict[str, _Turnstile] = {}
        self._passage_of = passage_of
        self._shares = shares or Shares()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._answer(scope, receive, send)
        except RefusedError as error:
            if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
                await asyncio.sleep(_REFUSED_AFTER_S)
            await refuse(send, scope["path"], error)
        except ConnectionAbortedError:
            return  # it left before it had said everything

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        tenant = self._tenant_of(scope["path"])
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as body:
            length = await self._read(receive, None if self._is_full(tenant) else body)
            async with self._turn(tenant):
                passage = self._open_passage(scope["path"], tenant)
                if passage is not None and tenant is not None and self._is_heavy(tenant, length):
                    await self._hand_over(passage.hand_over(scope, body, receive, send), tenant)
                    return
                environ = environ_of(scope, body, length)
                environ[GONE_KEY] = Patience(_PATIENCE_S if passage else None)
                is_answered = await self._serve(tenant, environ, receive, send)
                if passage is not None and not is_answered:
                    body.seek(0)
                    await self._hand_over(passage.hand_over(scope, body, receive, send), tenant)

    def _is_full(self, tenant: str | None) -> bool:
        turnstile = None if tenant is None else self._turnstiles.get(tenant)
        return turnstile is not None and turnstile.waiting >= _MOST_WAITING

    def _open_passage(self, path: str, tenant: str | None) -> Passage | None:
        if tenant is not None:
            self._shares.note(tenant)
            if not self._shares.has_neighbour(tenant):
                return None
        passage = self._passage_of(path)
        return passage if passage is not None and passage.is_open else None

    def _is_heavy(self, tenant: str, length: int) -> bool:
        return length > _LARGE_BODY_BYTES or self._shares.is_overdrawn(tenant)

    async def _hand_over(
        self,
        passing: Awaitable[None],
        tenant: str | None,
    ) -> None:
        began = time.monotonic()
        try:
            await passing
        finally:
            if tenant is not None and self._shares.is_overdrawn(tenant):
                self._shares.spend(tenant, time.monotonic() - began)

    async def _read(self, receive: Receive, body: IO[bytes] | None) -> int:
        length = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionAbortedError
            chunk = message.get("body", b"")
            length += len(chunk)
            if length > self._max_body_bytes:
                raise RefusedError(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"the body is larger than {self._max_body_bytes} bytes",
                )
            if body is not None:
                body.write(chunk)
            if not message.get("more_body"):
                break
        if body is None:
            raise _crowded()
        body.seek(0)
        return length

    @asynccontextmanager
    async def _turn(self, tenant: str | None) -> AsyncIterator[None]:
        if tenant is None:
            yield
            return
        turnstile = self._turnstiles.setdefault(
            tenant, _Turnstile(asyncio.Semaphore(self._per_tenant))
        )
        if turnstile.waiting >= _MOST_WAITING:
            raise _crowded()
        turnstile.waiting += 1
        try:
            async with turnstile.slots:
                yield
        finally:
            turnstile.waiting -= 1
            if not turnstile.waiting:
                del self._turnstiles[tenant]

    async def _serve(
        self,
        tenant: str | None,
        environ: Environ,
        receive: Receive,
        send: Send,
    ) -> bool:
        """Answer here; return False when that has to be done elsewhere."""
        gone: Patience = environ[GONE_KEY]
        loop = asyncio.get_running_loop()
        watch = loop.create_task(_watch(receive, gone))

        def push(message: Message) -> None:
            asyncio.run_coroutine_threadsafe(_sent(send, message), loop).result()

        context = contextvars.copy_context()
        try:
            answer = await loop.run_in_executor(
                self._pool, context.run, self._run, environ, push, gone
            )
        finally:
            watch.cancel()
        if tenant is not None and answer.status not in _STRANGERS:
            self._shares.spend(tenant, answer.cpu_s)
        if gone.has_ended and not answer.is_sent:
            if tenant is not None:
                self._shares.overdraw(tenant)
            return False
        if not answer.is_sent:
            await send(answer.head())
            await send({"type": "http.response.body", "body": answer.body})
        return True

    def _run(self, environ: Environ, push: Callable[[Message], None], gone: Patience) -> _Answer:
        answer, began = _Answer(), time.thread_time()
        gone.begin()
        result = self._application(environ, answer.start)
        try:
            length = answer.length
            is_small = length is not None and length <= _IN_MEMORY_BYTES
            if is_small or not getattr(result, "streaming", True):
                answer.body = b"".join(result)
                return answer
            answer.is_sent = True
            push(answer.head())
            for chunk in result:
                if gone.is_set():
                    break
                push({"type": "http.response.body", "body": chunk, "more_body": True})
            push({"type": "http.response.body", "body": b""})
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
            answer.cpu_s = time.thread_time() - began
        return answer


def environ_of(scope: Scope, body: IO[bytes], length: int) -> Environ:
    """Translate an ASGI scope to a WSGI environ with the whole body at hand."""
    server, client = scope.get("server") or ("localhost", 80), scope.get("client")
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", "").encode().decode("latin1"),
        "PATH_INFO": scope["path"].encode().decode("latin1"),
        "RAW_URI": (scope.get("raw_path") or b"").decode("latin1"),
        "QUERY_STRING": scope["query_string"].decode("latin1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if client is not None:
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
    for raw, value in scope["headers"]:
        if b"_" in raw or raw == b"content-length":
            continue  # X_Forwarded_For must not pass for X-Forwarded-For
        name = raw.decode("latin1").upper().replace("-", "_")
        key = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
        text = value.decode("latin1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    environ["CONTENT_LENGTH"] = str(length)
    return environ


async def _watch(receive: Receive, gone: threading.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


async def _sent(send: Send, message: Message) -> None:
    await send(message)


def _crowded() -> RefusedError:
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE, "too many requests of this org are waiting; try again"
    )
