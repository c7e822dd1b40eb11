"""Pacing the starts, so that a thousand checks due at once measure their targets and not us."""

from collections import deque
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

# Timers of event loops are a millisecond coarse; less burst would cap the rate instead.
BURST_S: Final = 0.003
SMALLEST_BURST: Final = 2.0


class PacedQueue(Generic[Item]):
    """A first-in-first-out queue behind a token bucket of ``rate`` per second."""

    __slots__ = ("_burst", "_queue", "_rate", "_tokens", "_updated")

    def __init__(self, rate: float) -> None:
        if rate <= 0:
            raise ValueError("the start rate must be above 0 per second")
        self._rate = rate
        self._burst = max(SMALLEST_BURST, rate * BURST_S)
        self._tokens = self._burst
        self._updated = 0.0
        self._queue: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, item: Item) -> None:
        """Queue ``item``."""
        self._queue.append(item)

    def take(self, now: float) -> list[Item]:
        """Return the items that may start at ``now`` (seconds of a monotonic clock)."""
        self._tokens = min(self._burst, self._tokens + (now - self._updated) * self._rate)
        self._updated = now
        count = min(int(self._tokens), len(self._queue))
        self._tokens -= count
        return [self._queue.popleft() for _ in range(count)]

    def wait_s(self) -> float | None:
        """Return seconds until the next item may start, None when nothing waits."""
        if not self._queue:
            return None
        return max(0.0, (1.0 - self._tokens) / self._rate)

    def clear(self) -> list[Item]:
        """Take out everything."""
        found = list(self._queue)
        self._queue.clear()
        return found
