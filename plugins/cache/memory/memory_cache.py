"""Entries in a dictionary; the one not used for longest makes room."""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from detectviz.contracts.cache import CacheConnection, CacheContext
from detectviz.contracts.errors import PluginError


class MemoryCache:
    """Opens caches of this process."""

    def open(self, context: CacheContext) -> CacheConnection:
        """Return an empty cache."""
        return _Connection(most=int(str(context.config["max_entries"])))


@dataclass(slots=True)
class _Connection:
    most: int
    entries: "OrderedDict[str, tuple[bytes, float | None]]" = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        with self.lock:
            return {key: value for key in keys if (value := self._find(key)) is not None}

    def set(self, entries: Mapping[str, bytes], *, ttl_s: float | None) -> None:
        with self.lock:
            for key, value in entries.items():
                self._put(key, value, _end(ttl_s))

    def add(self, key: str, value: bytes, *, ttl_s: float | None) -> bool:
        with self.lock:
            if self._find(key) is not None:
                return False
            self._put(key, value, _end(ttl_s))
            return True

    def delete(self, keys: Sequence[str]) -> int:
        with self.lock:
            found = [key for key in keys if self._find(key) is not None]
            for key in found:
                del self.entries[key]
            return len(found)

    def incr(self, key: str, delta: int, *, ttl_s: float | None = None) -> int:
        with self.lock:
            value = self._find(key)
            try:
                total = delta + int(value or b"0")
            except ValueError:
                raise PluginError(f"The entry {key} is no number.", permanent=True) from None
            is_kept = value is not None and ttl_s is None
            self._put(key, str(total).encode(), self.entries[key][1] if is_kept else _end(ttl_s))
            return total

    def clear(self) -> None:
        with self.lock:
            self.entries.clear()

    def close(self) -> None:
        self.clear()

    def _find(self, key: str) -> bytes | None:
        entry = self.entries.get(key)
        if entry is None:
            return None
        value, ends_at = entry
        if ends_at is not None and time.monotonic() >= ends_at:
            del self.entries[key]
            return None
        self.entries.move_to_end(key)
        return value

    def _put(self, key: str, value: bytes, ends_at: float | None) -> None:
        self.entries[key] = (value, ends_at)
        self.entries.move_to_end(key)
        while len(self.entries) > self.most:
            self.entries.popitem(last=False)


def _end(ttl_s: float | None) -> float | None:
    return None if ttl_s is None else time.monotonic() + ttl_s
