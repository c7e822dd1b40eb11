"""HTTP to a backend the operator configured: kept alive, bounded in time and size.

Targets here come from the deployment, never from a user, so the egress guard has no part in it.
"""

import base64
import http.client
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, unquote

from detectviz.tsdb.interface import StoreError

_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_ERROR_EXCERPT = 300
# Refusals of what was sent. The other 4xx speak of the way (password, path, method): a person
# can mend that, and then the same samples are taken.
_ABOUT_DATA = frozenset({400, 413, 422})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status and whole body; ``retry_after_s`` is 0 when the server names no time."""

    status: int
    body: bytes
    retry_after_s: float = 0.0


class BackendError(StoreError):
    """The backend answered, but did not do it; retryable when the status is 429 or 5xx."""

    def __init__(self, message: str, *, status: int, retry_after_s: float = 0.0) -> None:
        super().__init__(message, retryable=status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR)
        self.status, self.retry_after_s = status, retry_after_s

    @property
    def is_about_data(self) -> bool:
        """Whether the same request can never be taken."""
        return self.status in _ABOUT_DATA


class BackendClient:
    """Speaks to one base URL, ``http`` or ``https``, with its user and password if it has them."""

    def __init__(self, url: SplitResult, *, timeout_s: float, max_body_bytes: int) -> None:
        if not url.hostname:
            raise StoreError("the series store URL names no host", retryable=False)
        self._url = url
        self._prefix = url.path.rstrip("/")
        self._timeout_s = timeout_s
        self._max_body_bytes = max_body_bytes
        self._headers = _authorization(url)
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self.connections_made = 0

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and read the whole answer, whatever its status.

        A request on a kept connection that the server has closed meanwhile is sent once more.

        Raises:
            StoreError: no answer in time (retryable), or one that is too large (not retryable).

        """
        connection = self._take()
        if connection is not None:
            try:
                return self._exchange(connection, method, path, body, headers or {})
            except (http.client.RemoteDisconnected, ConnectionError):
                self.close()  # what else is idle has been closed by the server as well
            except (OSError, http.client.HTTPException) as error:
                raise self._unreachable(error) from error
        try:
            return self._exchange(self._connect(), method, path, body, headers or {})
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def succeed(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Do ``call`` and return the body of a 2xx answer.

        Raises:
            StoreError: as ``call``.
            BackendError: another status.

        """
        answer = self.call(method, path, body=body, headers=headers)
        if answer.status // 100 == 2:  # noqa: PLR2004 - the class of success
            return answer.body
        text = answer.body[:_ERROR_EXCERPT].decode(errors="replace").strip()
        raise BackendError(
            f"series backend {self._url.hostname} answered {answer.status}: {text}",
            status=answer.status,
            retry_after_s=answer.retry_after_s,
        )

    def close(self) -> None:
        """Close every idle connection."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
    ) -> Answer:
        try:
            connection.request(method, self._prefix + path, body, {**self._headers, **headers})
            response = connection.getresponse()
            content = response.read(self._max_body_bytes + 1)
        except BaseException:
            connection.close()
            raise
        if len(content) > self._max_body_bytes:
            connection.close()
            raise StoreError(
                f"the answer is larger than {self._max_body_bytes} bytes: select fewer series"
                " or a shorter time",
                retryable=False,
            )
        with self._lock:
            self._idle.append(connection)
        return Answer(
            status=response.status,
            body=content,
            retry_after_s=_retry_after(response.headers.get("Retry-After", "")),
        )

    def _take(self) -> http.client.HTTPConnection | None:
        with self._lock:
            if self._pid != os.getpid():
                # After a fork the parent still speaks on these sockets.
                self._idle, self._pid = [], os.getpid()
            return self._idle.pop() if self._idle else None

    def _connect(self) -> http.client.HTTPConnection:
        secure = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self.connections_made += 1
        return kind(self._url.hostname or "", self._url.port, timeout=self._timeout_s)

    def _unreachable(self, error: Exception) -> StoreError:
        return StoreError(
            f"series backend {self._url.hostname} is not reachable: {error!r}", retryable=True
        )


def _retry_after(text: str) -> float:
    """Read seconds or a date (RFC 9110, section 10.2.3); 0 for what is neither."""
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, moment.timestamp() - time.time())


def _authorization(url: SplitResult) -> dict[str, str]:
    if url.username is None:
        return {}
    pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
