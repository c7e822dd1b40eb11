"""Uptime over windows, from the hours counted by the flush of results.

A window begins at a full hour, so its length is right to the hour. The share is (up + degraded)
of the time known outside maintenance; None when nothing is known yet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q, Sum

from apps.monitors.models import MonitorState, MonitorUptime
from detectviz.clock import to_ms

WINDOWS: Mapping[str, timedelta] = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
_COUNTED = ("up_s", "degraded_s", "down_s", "unknown_s", "maintenance_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptime:
    """Seconds by state over one window."""

    up_s: float = 0.0
    degraded_s: float = 0.0
    down_s: float = 0.0
    unknown_s: float = 0.0
    maintenance_s: float = 0.0

    @property
    def ratio(self) -> float | None:
        """Share of the known time outside maintenance in which the target answered."""
        good_s = self.up_s + self.degraded_s
        known_s = good_s + self.down_s
        return good_s / known_s if known_s > 0 else None


def uptime_list(
    org: models.Model | int,
    *,
    monitors: Iterable[int],
    now: datetime,
    windows: Iterable[str] = tuple(WINDOWS),
) -> dict[int, dict[str, Uptime]]:
    """Return monitor key → window → uptime, in two queries however many monitors."""
    keys, names = list(monitors), list(windows)
    starts = {name: to_ms(now - WINDOWS[name]) // 3_600_000 * 3_600_000 for name in names}
    rows = MonitorUptime.objects.for_org(org).filter(
        monitor_id__in=keys, hour_ms__gte=min(starts.values(), default=0)
    )
    sums = {
        f"{name}_{column}": Sum(column, filter=Q(hour_ms__gte=start), default=0.0)
        for name, start in starts.items()
        for column in _COUNTED
    }
    past = {row["monitor_id"]: row for row in rows.values("monitor_id").annotate(**sums)}
    running = MonitorState.objects.for_org(org).filter(monitor_id__in=keys)
    answer: dict[int, dict[str, Uptime]] = {}
    for state in running.values("monitor_id", "hour_ms", *_COUNTED):
        finished = past.get(state["monitor_id"], {})
        answer[state["monitor_id"]] = {
            name: _joined(name, finished, state, starts[name]) for name in names
        }
    return answer


def _joined(
    name: str, finished: Mapping[str, float], state: Mapping[str, float], start_ms: int
) -> Uptime:
    share = 1.0 if state["hour_ms"] >= start_ms else 0.0
    return Uptime(
        **{
            column: finished.get(f"{name}_{column}", 0.0) + share * state[column]
            for column in _COUNTED
        }
    )
