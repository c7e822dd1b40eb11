"""Django's WSGI handler behind the ASGI server: one thread and one hop per request.

A request's body is read by the event loop before a thread is taken, so a slow sender costs
nothing; an answer that is not a stream goes back in one piece. Requests of one tenant never hold
all threads: the others of that tenant wait in the loop.
"""

import asyncio
import contextvars
import logging
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import IO, Any

GONE_KEY = "detectviz.gone"  # in the WSGI environ: an Event, set when the client has hung up

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Environ = dict[str, Any]

_IN_MEMORY_BYTES = 1 << 20
_MOST_WAITING = 64

logger = logging.getLogger(__name__)


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


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
    ) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._max_body_bytes = max_body_bytes
        self._tenant_of = tenant_of
        self._per_tenant = per_tenant or threads
        self._turnstiles: dict[str, _Turnstile] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as body:
                length = await self._read(receive, body)
                async with self._turn(self._tenant_of(scope["path"])):
                    await self._serve(environ_of(scope, body, length), receive, send)
        except _RefusedError as error:
            await _refuse(send, error.status, str(error))
        except ConnectionAbortedError:
            return  # it left before it had said everything

    async def _read(self, receive: Receive, body: IO[bytes]) -> int:
        length = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionAbortedError
            chunk = message.get("body", b"")
            length += len(chunk)
            if length > self._max_body_bytes:
                raise _RefusedError(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"the body is larger than {self._max_body_bytes} bytes",
                )
            body.write(chunk)
            if not message.get("more_body"):
                body.seek(0)
                return length

    @asynccontextmanager
    async def _turn(self, tenant: str | None) -> Any:
        if tenant is None:
            yield
            return
        turnstile = self._turnstiles.setdefault(
            tenant, _Turnstile(asyncio.Semaphore(self._per_tenant))
        )
        if turnstile.waiting >= _MOST_WAITING:
            raise _RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too many requests of this org are waiting; try again",
            )
        turnstile.waiting += 1
        try:
            async with turnstile.slots:
                yield
        finally:
            turnstile.waiting -= 1
            if not turnstile.waiting:
                del self._turnstiles[tenant]

    async def _serve(self, environ: Environ, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        gone = environ[GONE_KEY] = threading.Event()
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
        if not answer.is_sent:
            await send(answer.head())
            await send({"type": "http.response.body", "body": answer.body})

    def _run(
        self, environ: Environ, push: Callable[[Message], None], gone: threading.Event
    ) -> _Answer:
        answer = _Answer()
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
        return answer


def environ_of(scope: Scope, body: IO[bytes], length: int) -> Environ:
    """Translate an ASGI scope to a WSGI environ with the whole body at hand."""
    server, client = scope.get("server") or ("localhost", 80), scope.get("client")
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", "").encode().decode("latin1"),
        "PATH_INFO": scope["path"].encode().decode("latin1"),
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


async def _refuse(send: Send, status: HTTPStatus, text: str) -> None:
    body = f"{text}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
