"""Lists, counts and histories of monitors."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Count, F, Q, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.lookups import Exact

from apps.monitors.models import Heartbeat, Monitor, MonitorMaintenance, StateChange
from apps.monitors.selectors.maintenance import Maintenance, maintenance_of
from apps.monitors.selectors.recent import RecentResult, recent_read
from apps.monitors.selectors.uptime import Uptime, uptime_list
from detectviz.contracts.types import CheckState
from detectviz.permissions.access import Access
from detectviz.resources.errors import NotFoundError

PAUSED = "paused"
MAINTENANCE = "maintenance"
# Broken first: what an operator must see stands on top.
_SEVERITY = {CheckState.DOWN: 0, CheckState.DEGRADED: 1, CheckState.UNKNOWN: 2, CheckState.UP: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorFilters:
    """What a list shows. ``states`` may hold ``paused`` beside the states; empty means all."""

    search: str = ""
    states: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    folder: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorRow:
    """One line of a list: the monitor with its state joined, its bars and its uptime."""

    monitor: Monitor
    recent: tuple[RecentResult, ...]
    uptime: Uptime | None
    maintenances: tuple[Maintenance, ...] = ()

    @property
    def shown_state(self) -> str:
        """The state as pages show it: ``paused``, ``maintenance`` while unchecked, or its own."""
        if not self.monitor.is_enabled:
            return PAUSED
        is_held = any(not each.is_collecting for each in self.maintenances)
        return MAINTENANCE if is_held else self.monitor.state.state

    @property
    def maintained_until(self) -> datetime | None:
        """The end of the maintenance it is in."""
        return self.maintenances[0].until if self.maintenances else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewCounts:
    """How many monitors are in each state; paused ones count only as paused."""

    up: int = 0
    degraded: int = 0
    down: int = 0
    unknown: int = 0
    paused: int = 0
    maintenance: int = 0
    retrying: int = 0

    @property
    def total(self) -> int:
        """All monitors."""
        return self.up + self.degraded + self.down + self.unknown + self.paused


def monitor_queryset(org: models.Model | int) -> "models.QuerySet[Monitor]":
    """Return the org's monitors with state, schedule and folder joined."""
    rows: models.QuerySet[Monitor] = Monitor.objects.for_org(org)
    return rows.select_related("org", "state", "schedule", "folder")


def monitor_get(org: models.Model | int, name: str) -> Monitor:
    """Return one monitor with its state; raise NotFoundError."""
    monitor = monitor_queryset(org).filter(name=name).first()
    if monitor is None:
        raise NotFoundError
    return monitor


def monitor_list(
    access: Access,
    filters: MonitorFilters,
    *,
    now: datetime,
    limit: int = 100,
    offset: int = 0,
) -> tuple[MonitorRow, ...]:
    """Return the monitors the user may read, broken ones first, with bars and 24 h of uptime.

    Four queries however many rows.
    """
    rows = _filtered(access, filters).annotate(rank=_rank()).order_by("rank", "name")
    monitors = list(rows[offset : offset + limit])
    uptimes = uptime_list(
        access.org_id, monitors=[each.pk for each in monitors], now=now, windows=["24h"]
    )
    maintained = maintenance_of(access.org_id, [each.pk for each in monitors], now)
    return tuple(
        MonitorRow(
            monitor=each,
            recent=recent_read(each.state.recent),
            uptime=uptimes.get(each.pk, {}).get("24h"),
            maintenances=tuple(maintained.get(each.pk, ())),
        )
        for each in monitors
    )


def monitor_count(access: Access, filters: MonitorFilters) -> int:
    """Return how many monitors ``monitor_list`` has in all."""
    return _filtered(access, filters).count()


def overview_counts(access: Access, *, now: datetime) -> OverviewCounts:
    """Count the monitors the user may read, in one query.

    In maintenance are those somebody set so, and those in a window that is on.
    """
    enabled = Q(is_enabled=True)
    windows = MonitorMaintenance.objects.for_org(access.org_id).filter(until__gt=now)
    maintained = Q(is_in_maintenance=True) | Q(pk__in=windows.values("monitor_id"))
    rows = access.filter(Monitor.objects.for_org(access.org_id), "monitors:read")
    counts: Mapping[str, int] = rows.aggregate(
        **{
            state.value: Count("pk", filter=enabled & Q(state__state=state.value))
            for state in CheckState
        },
        paused=Count("pk", filter=~enabled),
        maintenance=Count("pk", filter=enabled & maintained),
        retrying=Count("pk", filter=enabled & Q(state__is_retrying=True)),
    )
    return OverviewCounts(**counts)


def broken_list(access: Access, *, limit: int = 50) -> tuple[Monitor, ...]:
    """Return what is down, degraded or unknown now, worst and longest first."""
    rows = access.filter(monitor_queryset(access.org_id), "monitors:read").filter(
        is_enabled=True, state__last_check_at__isnull=False
    )
    rows = rows.exclude(state__state=CheckState.UP.value).annotate(rank=_rank())
    return tuple(rows.order_by("rank", "state__since", "name")[:limit])


def certificate_list(access: Access, *, before: datetime, limit: int = 50) -> tuple[Monitor, ...]:
    """Return enabled monitors whose certificate chain ends before a time, soonest first."""
    rows = access.filter(monitor_queryset(access.org_id), "monitors:read")
    rows = rows.filter(is_enabled=True, state__certificate_expires_at__lt=before)
    return tuple(rows.order_by("state__certificate_expires_at", "name")[:limit])


def state_history(
    monitor: Monitor, *, limit: int = 50, before: datetime | None = None
) -> tuple[StateChange, ...]:
    """Return transitions, newest first, without their evidence (read one for that)."""
    rows = StateChange.objects.for_org(monitor.org_id).filter(monitor=monitor)
    if before is not None:
        rows = rows.filter(at__lt=before)
    return tuple(rows.defer("evidence")[:limit])


def state_change_list(access: Access, *, limit: int = 20) -> tuple[StateChange, ...]:
    """Return the newest transitions of all monitors the user may read, without evidence."""
    readable = access.filter(Monitor.objects.for_org(access.org_id), "monitors:read")
    rows = StateChange.objects.for_org(access.org_id).filter(monitor__in=readable)
    return tuple(rows.select_related("monitor").defer("evidence")[:limit])


def state_change_get(monitor: Monitor, key: int) -> StateChange:
    """Return one transition of the monitor with its evidence; raise NotFoundError."""
    rows = StateChange.objects.for_org(monitor.org_id).filter(monitor=monitor, pk=key)
    found: StateChange | None = rows.first()
    if found is None:
        raise NotFoundError
    return found


def last_failure(monitor: Monitor) -> StateChange | None:
    """Return the newest transition away from up, with its evidence."""
    rows = StateChange.objects.for_org(monitor.org_id).filter(monitor=monitor)
    return rows.exclude(state=CheckState.UP.value).first()


def heartbeat_get(monitor: Monitor) -> Heartbeat | None:
    """Return what a push monitor has heard, None for other monitors."""
    return Heartbeat.objects.for_org(monitor.org_id).filter(monitor=monitor).first()


def _rank() -> models.Case:
    whens = [models.When(is_enabled=False, then=models.Value(9))]
    whens += [
        models.When(state__state=state.value, then=models.Value(rank))
        for state, rank in _SEVERITY.items()
    ]
    return models.Case(*whens, default=models.Value(8))


def _filtered(access: Access, filters: MonitorFilters) -> "models.QuerySet[Monitor]":
    rows = access.filter(monitor_queryset(access.org_id), "monitors:read")
    if filters.search:
        wanted = filters.search
        rows = rows.filter(
            Q(name__icontains=wanted) | Q(title__icontains=wanted) | Q(type__icontains=wanted)
        )
    if filters.states:
        chosen = Q(is_enabled=True, state__state__in=filters.states)
        if PAUSED in filters.states:
            chosen |= Q(is_enabled=False)
        rows = rows.filter(chosen)
    if filters.types:
        rows = rows.filter(type__in=filters.types)
    if filters.names:
        rows = rows.filter(name__in=filters.names)
    if filters.folder:
        rows = rows.filter(folder__name=filters.folder)
    for name, value in filters.labels:
        rows = rows.filter(Exact(KeyTextTransform(name, F("labels")), Value(value)))
    return rows
