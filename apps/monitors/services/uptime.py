"""Uptime bookkeeping: seconds in each state, per hour, counted result by result.

The time between two results belongs to the state that stood between them, at most
``longest_gap_s`` of it: when nobody was looking, nothing is counted, neither for nor against.
Maintenance is counted apart whatever the state. The running hour is kept in the monitor's state
row, so counting costs no write of its own; a finished hour becomes one ``MonitorUptime`` row.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from detectviz.contracts.types import CheckState

HOUR_MS = 3_600_000

Bucket = Literal["up_s", "degraded_s", "down_s", "unknown_s", "maintenance_s"]
_BUCKETS: dict[CheckState, Bucket] = {
    CheckState.UP: "up_s",
    CheckState.DEGRADED: "degraded_s",
    CheckState.DOWN: "down_s",
    CheckState.UNKNOWN: "unknown_s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """Seconds by state of one hour, which begins at ``hour_ms``."""

    hour_ms: int
    up_s: float = 0.0
    degraded_s: float = 0.0
    down_s: float = 0.0
    unknown_s: float = 0.0
    maintenance_s: float = 0.0


def bucket_of(state: CheckState, *, is_in_maintenance: bool) -> Bucket:
    """Return where time in ``state`` is counted."""
    return "maintenance_s" if is_in_maintenance else _BUCKETS[state]


def longest_gap_s(interval_s: float, timeout_s: float) -> float:
    """Return the longest time between two results that still counts as watched."""
    return 2 * interval_s + timeout_s


def hours_credit(
    running: Hour, bucket: Bucket, *, start_ms: int, end_ms: int
) -> tuple[Hour, tuple[Hour, ...]]:
    """Count ``start_ms`` to ``end_ms`` in ``bucket``; return the running hour and finished ones.

    A finished hour is complete: writing it twice changes nothing.
    """
    finished: list[Hour] = []
    if running.hour_ms <= start_ms <= end_ms < running.hour_ms + HOUR_MS:
        return _with(running, bucket, end_ms - start_ms), ()
    for piece_start, piece_end in _pieces(max(start_ms, running.hour_ms), end_ms):
        hour_ms = piece_start - piece_start % HOUR_MS
        running = _turn(running, hour_ms, finished)
        running = _with(running, bucket, piece_end - piece_start)
    return _turn(running, end_ms - end_ms % HOUR_MS, finished), tuple(finished)


def _with(hour: Hour, bucket: Bucket, more_ms: int) -> Hour:
    return replace(hour, **{bucket: getattr(hour, bucket) + more_ms / 1000})


def _turn(running: Hour, hour_ms: int, finished: list[Hour]) -> Hour:
    if hour_ms <= running.hour_ms:
        return running
    if running != Hour(hour_ms=running.hour_ms):
        finished.append(running)
    return Hour(hour_ms=hour_ms)


def _pieces(start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    while start_ms < end_ms:
        border = start_ms - start_ms % HOUR_MS + HOUR_MS
        yield start_ms, min(border, end_ms)
        start_ms = border
