"""Idle sessions kept between calls; how many are in use at once is the host's business."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import Final, Generic, TypeVar

S = TypeVar("S")
_MOST_IDLE: Final = 16
_OLDEST_S: Final = 300.0


class SessionPool(Generic[S]):
    """Hands out sessions that nobody else uses; ended by ``close``.

    ``reset`` makes a used session as new; one that it fails on, or whose use raised, is closed.
    Sessions are not kept for longer than five minutes, so that a server may go away.
    """

    def __init__(
        self,
        *,
        reset: Callable[[S], None],
        close: Callable[[S], None],
    ) -> None:
        self._reset = reset
        self._close = close
        self._lock = Lock()
        self._idle: list[tuple[S, float]] = []
        self._is_closed = False

    @contextmanager
    def session(
        self, connect: Callable[[], S], begin: Callable[[S], object] = lambda _: None
    ) -> Iterator[S]:
        """Yield an idle session, or what ``connect`` makes, after ``begin`` has made it ready.

        An idle one that ``begin`` fails on has been lost by the server: the next one is tried. It
        is kept for the next call when the block ends without an error and it could be reset.
        """
        session, born = self._begun(begin) or self._new(connect, begin)
        try:
            yield session
        except BaseException:
            self._close(session)
            raise
        try:
            self._reset(session)
        except Exception:  # noqa: BLE001 - whatever it was, the answer has been read
            self._close(session)
        else:
            self._give_back(session, born)

    def close(self) -> None:
        """Close every idle session; those in use are closed when their call ends."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._is_closed = True
        for session, _ in idle:
            self._close(session)

    def _begun(self, begin: Callable[[S], object]) -> tuple[S, float] | None:
        while (kept := self._take()) is not None:
            try:
                begin(kept[0])
            except Exception:  # noqa: BLE001 - the server's reason is told by a new session
                self._close(kept[0])
            else:
                return kept
        return None

    def _new(self, connect: Callable[[], S], begin: Callable[[S], object]) -> tuple[S, float]:
        session = connect()
        try:
            begin(session)
        except BaseException:
            self._close(session)
            raise
        return session, monotonic()

    def _take(self) -> tuple[S, float] | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                session, born = self._idle.pop()
            if monotonic() - born < _OLDEST_S:
                return session, born
            self._close(session)

    def _give_back(self, session: S, born: float) -> None:
        with self._lock:
            is_kept = not self._is_closed and len(self._idle) < _MOST_IDLE
            if is_kept:
                self._idle.append((session, born))
        if not is_kept:
            self._close(session)
