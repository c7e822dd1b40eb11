"""Requests handed from the web process to the processes for heavy ones, over Unix sockets.

Both ends are ours and of one version. A frame is its length (4 bytes), its kind and its content;
the request is a head, data and an end, the answer the same. Who hangs up closes the connection,
and so the request ends at the other side too.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

import orjson

from detectviz.runtime.refusals import RefusedError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def socket_path(data_dir: Path, role: str) -> Path:
    """Return where a process for handed-over requests listens."""
    return data_dir / "run" / f"{role}.sock"


_FRAME = struct.Struct(">IB")
_HEAD, _DATA, _END = 1, 2, 3
_CHUNK = 1 << 18
_CONNECT_TIMEOUT_S = 5.0


class Passage:
    """The web process's end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def is_open(self) -> bool:
        """Whether there is such a process, or a supervisor that will start it when needed."""
        return self._path.is_socket()

    async def hand_over(self, scope: Scope, body: IO[bytes], receive: Receive, send: Send) -> None:
        """Let the other process answer; raise RefusedError when it ended before it did."""
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(self._path)
        except (OSError, TimeoutError) as error:
            raise _unavailable() from error
        watch = asyncio.create_task(_hang_up(receive, writer))
        try:
            await _write_request(writer, scope, body)
            await _answer(reader, send)
        finally:
            watch.cancel()
            writer.close()


async def serve_passed(
    application: Application, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer one request at the other end."""

    async def receive() -> Message:
        try:
            kind, content = await _read(reader)
        except (asyncio.IncompleteReadError, OSError):
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": content, "more_body": kind == _DATA}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            head = {"status": int(message["status"]), "headers": _texts(message["headers"])}
            _write(writer, _HEAD, orjson.dumps(head))
        else:
            _write(writer, _DATA, message.get("body", b""))
            if not message.get("more_body"):
                _write(writer, _END, b"")
        await writer.drain()

    with suppress(asyncio.IncompleteReadError, OSError):  # the web process or its client has left
        try:
            _, head = await _read(reader)
            await application(_scope(orjson.loads(head)), receive, send)
        finally:
            writer.close()


async def _hang_up(receive: Receive, writer: asyncio.StreamWriter) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    writer.close()


async def _write_request(writer: asyncio.StreamWriter, scope: Scope, body: IO[bytes]) -> None:
    _write(writer, _HEAD, orjson.dumps(_portable(scope)))
    with suppress(OSError):  # what is wrong is seen when the answer is read
        while chunk := body.read(_CHUNK):
            _write(writer, _DATA, chunk)
            await writer.drain()
        _write(writer, _END, b"")
        await writer.drain()


async def _answer(reader: asyncio.StreamReader, send: Send) -> None:
    has_begun = False
    while True:
        try:
            kind, content = await _read(reader)
        except (asyncio.IncompleteReadError, OSError) as error:
            if has_begun:
                raise ConnectionAbortedError from error
            raise _unavailable() from error
        if kind == _HEAD:
            has_begun = True
            head = orjson.loads(content)
            await send({"type": "http.response.start", **head, "headers": _raw(head["headers"])})
        else:
            more = kind == _DATA
            await send({"type": "http.response.body", "body": content, "more_body": more})
            if not more:
                return


def _write(writer: asyncio.StreamWriter, kind: int, content: bytes) -> None:
    writer.write(_FRAME.pack(len(content), kind) + content)


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    length, kind = _FRAME.unpack(await reader.readexactly(_FRAME.size))
    return kind, await reader.readexactly(length)


def _portable(scope: Scope) -> Mapping[str, Any]:
    kept = ("method", "path", "root_path", "http_version", "scheme", "client", "server")
    return {
        **{name: scope[name] for name in kept if name in scope},
        "query_string": scope["query_string"].decode("latin1"),
        "headers": _texts(scope["headers"]),
    }


def _scope(head: dict[str, Any]) -> Scope:
    return {
        **head,
        "type": "http",
        "query_string": head["query_string"].encode("latin1"),
        "headers": _raw(head["headers"]),
    }


def _texts(headers: Any) -> list[tuple[str, str]]:
    return [(name.decode("latin1"), value.decode("latin1")) for name, value in headers]


def _raw(headers: Any) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin1"), value.encode("latin1")) for name, value in headers]


def _unavailable() -> RefusedError:
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the process for heavy requests ended before it answered; try again",
    )
