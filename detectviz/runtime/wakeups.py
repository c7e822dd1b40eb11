"""Run a periodic task now instead of at its next tick, from whichever process.

Only tasks that beat runs anyway may be woken, so a lost wake-up costs a tick of latency and a
doubled one costs an idempotent run.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from detectviz.celery import app, gather_schedule
from detectviz.clock import utc_now
from detectviz.runtime import signals

COALESCE_S = 0.02
SOONEST_S = 0.1

_ahead: dict[str, Sequence[float]] = {}  # runs this process asked for, by its monotonic clock
_lock = threading.Lock()


def wake(entry: str) -> None:
    """Run the schedule's ``entry`` soon."""
    if settings.IS_EMBEDDED:
        # Only the control process has the in-memory broker.
        signals.send("control", {"wake": entry})
    else:
        _enqueue(entry)


def wake_on_commit(entry: str) -> None:
    """Wake after the surrounding transaction is durable."""
    transaction.on_commit(lambda: wake(entry), robust=True)


def wake_at(entry: str, at: datetime) -> None:
    """Run the schedule's ``entry`` at a time sooner than its next tick; called by a task.

    A time that is farther away is left to the ticks; so is one that a run comes before which this
    process has asked for already, as that run asks again. So runs that each ask for the next stay
    one chain, however many begin it, and come at most every ``SOONEST_S``.
    """
    row = gather_schedule()[entry]
    after_s = max((at - utc_now()).total_seconds(), SOONEST_S)
    if after_s < row["schedule"] and _is_first(entry, after_s):
        _enqueue(entry, countdown=after_s)


def _is_first(entry: str, after_s: float) -> bool:
    """Note a run, unless another that is ahead comes before it or with it."""
    now_s = time.monotonic()
    with _lock:
        ahead = [each for each in _ahead.get(entry, ()) if each > now_s]
        is_first = all(each > now_s + after_s + COALESCE_S for each in ahead)
        _ahead[entry] = [*ahead, now_s + after_s] if is_first else ahead
    return is_first


def _enqueue(entry: str, **options: Any) -> None:
    row = gather_schedule().get(entry)
    if row is not None:
        app.send_task(row["task"], args=row.get("args", ()), **row.get("options", {}), **options)


@dataclass(slots=True)
class WakeupsModule:
    """Turns the signals to the control process into tasks, a burst into one."""

    name: str = "wakeups"
    depends_on: Sequence[str] = ("worker",)
    _entries: set[str] = field(default_factory=set)
    _arrived: threading.Event = field(default_factory=threading.Event)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _receiver: signals.Receiver | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen."""
        self._thread = threading.Thread(target=self._run, name="wakeups", daemon=True)
        self._thread.start()
        self._receiver = signals.listen("control", self._on_signal)

    def _on_signal(self, message: Mapping[str, Any]) -> None:
        self._entries.add(str(message.get("wake", "")))
        self._arrived.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._arrived.wait()
            self._arrived.clear()
            self._stopping.wait(COALESCE_S)
            while self._entries:
                _enqueue(self._entries.pop())

    def stop(self, deadline_s: float) -> None:
        """Stop listening; what was not passed on is found by the next tick."""
        if self._receiver is not None:
            self._receiver.stop()
        self._stopping.set()
        self._arrived.set()
        if self._thread is not None:
            self._thread.join(deadline_s)
