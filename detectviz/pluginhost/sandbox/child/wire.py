"""Frames: four bytes of length (big-endian), then one JSON-RPC 2.0 message as UTF-8."""

import json
import struct
from collections.abc import Iterator
from typing import Any, Final

VERSIONS: Final = (1,)
HEADER: Final = struct.Struct(">I")
LARGEST_FRAME: Final = 16_777_216
STREAM: Final = -1  # in place of a handle: an item of a streamed answer


class FrameError(ValueError):
    """What came is no message: too large, no JSON, or not JSON-RPC."""


def pack(message: dict[str, Any], *, largest: int = LARGEST_FRAME) -> bytes:
    """Return the frame of ``message``; raise FrameError when it is larger than allowed."""
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )
    if len(body) > largest:
        raise FrameError(f"A message of {len(body)} bytes is over the {largest} allowed.")
    return HEADER.pack(len(body)) + body


class FrameReader:
    """Cuts a stream into messages."""

    def __init__(self, *, largest: int = LARGEST_FRAME) -> None:
        self._largest = largest
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Yield every message that is complete with ``data``; raise FrameError."""
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            (length,) = HEADER.unpack_from(self._buffer)
            if length > self._largest:
                raise FrameError(f"A frame of {length} bytes is over the {self._largest} allowed.")
            end = HEADER.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[HEADER.size : end])
            del self._buffer[:end]
            yield _parse(body)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FrameError("A frame is no JSON.") from error
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise FrameError("A frame is no JSON-RPC 2.0 message.")
    return message


def request(identity: int | str, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return a request."""
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def notification(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return a notification."""
    return {"jsonrpc": "2.0", "method": method, "params": params}


def result(identity: int | str, value: Any) -> dict[str, Any]:
    """Return an answer."""
    return {"jsonrpc": "2.0", "id": identity, "result": value}


def failure(identity: int | str, error: dict[str, Any]) -> dict[str, Any]:
    """Return an error answer."""
    return {"jsonrpc": "2.0", "id": identity, "error": error}
