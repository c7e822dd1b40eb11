"""What plugins keep between calls: one value for each version of each datasource.

A value is closed when its datasource changes or goes, when nobody has used it for a while, and
when there are too many; never while a call that got it is under way.
"""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")
Key = tuple[int, str, int]  # org, uid, version

IDLE_S: Final = 300.0
MOST_KEPT: Final = 256

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Entry:
    """One kept value. ``lock`` is held while the value is being made."""

    key: Key
    close: Callable[[Any], None]
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: Any = None
    is_made: bool = False
    is_gone: bool = False
    users: int = 0
    used_at: float = 0.0


class InstancePool:
    """The kept values of one process; safe to share between threads, empty again after a fork."""

    def __init__(
        self,
        *,
        idle_s: float = IDLE_S,
        most_kept: int = MOST_KEPT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._idle_s = idle_s
        self._most_kept = most_kept
        self._clock = clock
        self._lock = threading.RLock()  # a finaliser may run while this thread holds it
        self._entries: dict[Key, _Entry] = {}
        self._pid = os.getpid()
        self._timer: threading.Timer | None = None

    def lease(self, key: Key) -> "InstanceLease":
        """Return the contracts' Instances for one call; it ends when nobody holds it any more."""
        return InstanceLease(self, key)

    def enter(self, key: Key, close: Callable[[Any], None]) -> _Entry:
        """Count one more user of the value of ``key``; older versions of it are let go."""
        with self._lock:
            self._begin()
            gone = [
                other
                for other in self._listed()
                if other.key[:2] == key[:2] and other.key[2] < key[2]
            ]
            entry = self._entries.get(key)
            if entry is None:
                gone += self._surplus(self._most_kept - 1)
                entry = self._entries[key] = _Entry(key=key, close=close)
            entry.users += 1
            closing = self._let_go(gone)
        _close(closing)
        return entry

    def leave(self, entry: _Entry) -> None:
        """Count one user less; the last one of a value that was let go closes it."""
        with self._lock:
            entry.users -= 1
            entry.used_at = self._clock()
            is_over = not entry.users and (entry.is_gone or not entry.is_made)
            closing = self._let_go([*([entry] if is_over else []), *self._surplus(self._most_kept)])
            self._wind()
        _close(closing)

    def retire(self, org_id: int, uid: str) -> None:
        """Let go of every version of one datasource."""
        with self._lock:
            found = [entry for entry in self._listed() if entry.key[:2] == (org_id, uid)]
            closing = self._let_go(found)
        _close(closing)

    def sweep(self) -> int:
        """Close what has been idle for too long; return how many values were closed."""
        with self._lock:
            self._timer = None
            before = self._clock() - self._idle_s
            closing = self._let_go([one for one in self._idle() if one.used_at <= before])
            self._wind()
        _close(closing)
        return len(closing)

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            closing = self._let_go(self._listed())
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        _close(closing)

    def __len__(self) -> int:
        """Count the kept values."""
        with self._lock:
            return len(self._entries)

    def _begin(self) -> None:
        """Forget what a parent process made: its sockets are the parent's."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._entries.clear()
            self._timer = None

    def _listed(self) -> list[_Entry]:
        return list(self._entries.values())

    def _idle(self) -> list[_Entry]:
        return [entry for entry in self._listed() if not entry.users]

    def _surplus(self, most: int) -> list[_Entry]:
        """Return the idle entries to give up so that at most ``most`` stay, longest idle first."""
        count = len(self._entries) - most
        return sorted(self._idle(), key=lambda entry: entry.used_at)[:count] if count > 0 else []

    def _let_go(self, entries: Sequence[_Entry]) -> list[_Entry]:
        """Forget entries; return those nobody uses, to be closed once the lock is free."""
        for entry in entries:
            entry.is_gone = True
            if self._entries.get(entry.key) is entry:
                del self._entries[entry.key]
        return [entry for entry in entries if not entry.users]

    def _wind(self) -> None:
        """Have somebody look for idle values later, as long as there are any."""
        if self._timer is None and self._entries:
            self._timer = threading.Timer(self._idle_s, self.sweep)
            self._timer.daemon = True
            self._timer.start()


class InstanceLease:
    """contracts' Instances for one call. The value stays open as long as this object lives."""

    def __init__(self, pool: InstancePool, key: Key) -> None:
        self._pool = pool
        self._key = key
        self._lock = threading.Lock()
        self._entry: _Entry | None = None

    def get(self, factory: Callable[[], T], close: Callable[[T], None]) -> T:
        """Return the kept value, made by ``factory`` the first time; its exceptions pass."""
        with self._lock:
            if self._entry is None:
                self._entry = self._pool.enter(self._key, close)
                weakref.finalize(self, self._pool.leave, self._entry)
            entry = self._entry
        with entry.lock:
            if not entry.is_made:
                entry.value = factory()
                entry.is_made = True
        return cast("T", entry.value)


_pool = InstancePool()


def instance_pool() -> InstancePool:
    """Return the process's one pool."""
    return _pool


def instances_retire(*, org_id: int, uid: str) -> None:
    """Close what plugins keep for one datasource, as soon as no call uses it."""
    _pool.retire(org_id, uid)


def _close(entries: Sequence[_Entry]) -> None:
    for entry in entries:
        if entry.is_made:
            value, entry.value, entry.is_made = entry.value, None, False
            try:
                entry.close(value)
            except Exception:
                logger.exception("a plugin could not close what it kept for %s", entry.key[1])
