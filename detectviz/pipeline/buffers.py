"""Bounded buffers between two threads: who is too fast waits, who is told to stop leaves."""

import threading
import time
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class StoppedError(Exception):
    """The run is over for a reason that lies elsewhere."""


class Buffer(Generic[T]):
    """At most ``capacity`` items between one thread that puts and one that takes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._is_stopped = False

    def put(self, item: T) -> float:
        """Add an item; return the seconds waited for room. Raise StoppedError after ``stop``."""
        with self._changed:
            began = time.monotonic()
            self._changed.wait_for(lambda: self._is_stopped or len(self._items) < self._capacity)
            if self._is_stopped:
                raise StoppedError
            self._items.append(item)
            self._changed.notify_all()
            return time.monotonic() - began

    def take(self) -> T | None:
        """Return the next item, None when there will be none. Raise StoppedError after ``stop``."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopped or self._items or self._is_closed)
            if self._is_stopped:
                raise StoppedError
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Say that nothing more will be put."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake both sides with StoppedError."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """Return how many items wait."""
        return len(self._items)
