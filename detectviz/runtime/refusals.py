"""What the server itself says no to, before or instead of the application."""

from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

import orjson

RETRY_AFTER_S = 5

_DOORS, _QUERIES = "/orgs/", "prometheus"
_KINDS = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "bad_data",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}


class RefusedError(Exception):
    """A request is not answered; the message says why."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


async def refuse(
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]], path: str, error: RefusedError
) -> None:
    """Answer in the shape that who asks there understands, and close the connection."""
    kind, body = _said(path, error)
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _said(path: str, error: RefusedError) -> tuple[bytes, bytes]:
    if path.startswith(_DOORS) and path.split("/")[3:4] == [_QUERIES]:
        failure = {"status": "error", "errorType": _KINDS[error.status], "error": str(error)}
        return b"application/json", orjson.dumps(failure)
    return b"text/plain; charset=utf-8", f"{error}\n".encode()
