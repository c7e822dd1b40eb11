"""How many checks may be on one host at once."""

from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class HostGate(Generic[Item]):
    """Admits up to ``limit`` items per host; the others of that host wait in order."""

    __slots__ = ("_active", "_limit", "_waiting", "_waiting_count")

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("the per-host limit must be at least 1")
        self._limit = limit
        self._active: dict[str, int] = {}
        self._waiting: dict[str, deque[Item]] = {}
        self._waiting_count = 0

    def __len__(self) -> int:
        return self._waiting_count

    def enter(self, host: str, item: Item) -> bool:
        """Count ``item`` in and return True, or keep it for later. An empty host is free."""
        if not host:
            return True
        active = self._active.get(host, 0)
        if active < self._limit:
            self._active[host] = active + 1
            return True
        self._waiting.setdefault(host, deque()).append(item)
        self._waiting_count += 1
        return False

    def leave(self, host: str) -> Item | None:
        """Count one out; return the one that takes its place."""
        if not host:
            return None
        waiting = self._waiting.get(host)
        if waiting:
            self._waiting_count -= 1
            item = waiting.popleft()
            if not waiting:
                del self._waiting[host]
            return item
        left = self._active[host] - 1
        if left:
            self._active[host] = left
        else:
            del self._active[host]
        return None

    def clear(self) -> list[Item]:
        """Take out everything that waits."""
        found = [item for queue in self._waiting.values() for item in queue]
        self._waiting.clear()
        self._waiting_count = 0
        return found
