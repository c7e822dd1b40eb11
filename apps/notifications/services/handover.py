"""Handing due deliveries to workers: soon after their flush, each turn once, the oldest first.

Of many, those that wait longest are handed over; the others follow as these are taken. What was
handed over is remembered by the process that did: a broker that forgets, or a worker that dies,
costs ``AGAIN_AFTER``. Another process may hand over the same, which costs a look at the row.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from apps.notifications.services.delivery_leases import Turn, deliveries_due

AGAIN_AFTER = timedelta(seconds=5)
TOGETHER = 20  # deliveries of one receiver that a worker takes at once


class Handover:
    """What this process has handed over lately; safe to use from threads."""

    def __init__(self, send: Callable[[list[int]], object]) -> None:
        """Hand over by ``send``, which takes ids of deliveries of one receiver."""
        self._send = send
        self._handed: dict[Turn, datetime] = {}
        self._lock = threading.Lock()

    def __call__(self, *, now: datetime) -> int:
        """Hand over what is due and was not lately; return how many that was."""
        with self._lock:
            lately = {turn: at for turn, at in self._handed.items() if now - at < AGAIN_AFTER}
            fresh = [turn for turn in deliveries_due(now=now) if turn not in lately]
            self._handed = lately | dict.fromkeys(fresh, now)
        for ids in _together(fresh):
            self._send(ids)
        return len(fresh)


def _together(turns: Sequence[Turn]) -> Iterator[list[int]]:
    """Yield the deliveries of each receiver, some at a time; who waits longest comes first."""
    found: dict[tuple[int, str, str], list[int]] = defaultdict(list)
    for turn in turns:
        found[turn.receiver].append(turn.delivery_id)
    for ids in found.values():
        for start in range(0, len(ids), TOGETHER):
            yield ids[start : start + TOGETHER]


class OnePass:
    """Runs some work by one thread of the process at a time; who asks meanwhile has it run again.

    Two passes at once would only wait for each other's rows.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        """Run ``work``."""
        self._work = work
        self._busy = threading.Lock()
        self._wanted = threading.Event()

    def __call__(self) -> None:
        """Run it, or leave that to the thread that is at it."""
        self._wanted.set()
        while self._wanted.is_set() and self._busy.acquire(blocking=False):
            try:
                self._wanted.clear()
                self._work()
            finally:
                self._busy.release()
