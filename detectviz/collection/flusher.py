"""Handing outcomes to the sink: in bulk, in a thread of its own, until it takes them."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from detectviz.collection.checks import Outcome, ResultSink

FLUSH_EVERY_S: Final = 0.5
BATCH: Final = 1_000
CAPACITY: Final = 50_000
FIRST_BACKOFF_S: Final = 0.1
LONGEST_BACKOFF_S: Final = 5.0

logger = logging.getLogger(__name__)


class Flusher:
    """Buffers outcomes and flushes them every 0.5 s or 1,000, whichever comes first.

    ``on_room`` is called in the flusher's thread when a full buffer has room again. ``put`` never
    refuses: the engine stops starting checks while ``is_full``, so the buffer exceeds its capacity
    by the checks in flight at most.
    """

    def __init__(
        self,
        sink: ResultSink,
        *,
        on_room: Callable[[], None],
        every_s: float = FLUSH_EVERY_S,
        batch: int = BATCH,
        capacity: int = CAPACITY,
        first_backoff_s: float = FIRST_BACKOFF_S,
    ) -> None:
        self._sink = sink
        self._on_room = on_room
        self._every_s = every_s
        self._batch = batch
        self._capacity = capacity
        self._first_backoff_s = first_backoff_s
        self._buffer: deque[Outcome] = deque()
        self._changed = threading.Condition()
        self._is_closing = False
        self._give_up_at = float("inf")
        self._was_full = False
        self._thread = threading.Thread(target=self._run, name="collection-flush", daemon=True)
        self.flushed = self.flushes = self.failures = 0
        self.last_flush_s = 0.0

    def __len__(self) -> int:
        return len(self._buffer)

    @property
    def is_full(self) -> bool:
        """Whether the engine should stop starting checks."""
        full = len(self._buffer) >= self._capacity
        self._was_full = self._was_full or full
        return full

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, outcome: Outcome) -> None:
        """Take ``outcome``; wakes the thread for the first of a batch and for a full one."""
        self._buffer.append(outcome)
        if len(self._buffer) in {1, self._batch}:
            with self._changed:
                self._changed.notify()

    def close(self, timeout_s: float) -> int:
        """Flush what is left within ``timeout_s`` and end; return how many were not taken."""
        with self._changed:
            self._is_closing = True
            self._give_up_at = time.monotonic() + timeout_s
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s + 1.0)
        while self._buffer and not self._thread.is_alive() and self._has_time():
            self._flush_until_taken()  # the thread broke: the caller's does its work
        return len(self._buffer)

    def _has_time(self) -> bool:
        return time.monotonic() < self._give_up_at

    def _run(self) -> None:
        while self._await_batch():
            self._flush_until_taken()

    def _await_batch(self) -> bool:
        """Wait for a batch; return False when closing and nothing is left (or time is up)."""
        with self._changed:
            while not self._buffer and not self._is_closing:
                self._changed.wait()
            if not self._is_closing and len(self._buffer) < self._batch:
                self._changed.wait_for(self._is_due, self._every_s)
        return bool(self._buffer) and self._has_time()

    def _is_due(self) -> bool:
        return self._is_closing or len(self._buffer) >= self._batch

    def _flush_until_taken(self) -> None:
        outcomes = [self._buffer[index] for index in range(min(len(self._buffer), self._batch))]
        backoff_s = self._first_backoff_s
        while not self._try_flush(outcomes):
            if time.monotonic() + backoff_s >= self._give_up_at:
                return
            with self._changed:
                self._changed.wait_for(lambda: self._is_closing, backoff_s)
            backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
        for _ in outcomes:
            self._buffer.popleft()
        if self._was_full and not self.is_full:
            self._was_full = False
            self._on_room()

    def _try_flush(self, outcomes: list[Outcome]) -> bool:
        started = time.perf_counter()
        try:
            self._sink.flush(outcomes)
        except Exception:
            self.failures += 1
            logger.exception("%d results could not be stored; they are kept", len(outcomes))
            return False
        self.last_flush_s = time.perf_counter() - started
        self.flushes += 1
        self.flushed += len(outcomes)
        return True
