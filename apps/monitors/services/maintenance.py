"""Putting monitors into maintenance windows and taking them out, when a window begins or ends.

One pass a second finds the windows whose timer has run out. Collectors hear of it by the version
of the monitor's configuration: its plan is read again at the next claim. Without collection the
monitor's slots are not claimed; what is under way is fenced off, its series end, and the time is
counted as maintenance when the window is over.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from django.db import models, transaction
from django.db.models import F

from apps.monitors.models import (
    MaintenanceWindow,
    Monitor,
    MonitorMaintenance,
    MonitorSchedule,
    MonitorState,
    MonitorUptime,
)
from apps.monitors.selectors.maintenance import window_monitors
from apps.monitors.services.samples import series_end
from apps.monitors.services.uptime import Hour, hours_credit
from apps.monitors.services.window_specs import window_of
from apps.monitors.services.windows import Span, next_change, span_at
from apps.series.selectors import series_store
from detectviz.clock import to_ms
from detectviz.events.bus import publish
from detectviz.events.types import MaintenanceChanged
from detectviz.runtime.signals import send_on_commit

_ACROSS = "one pass serves every org"
_COUNTED = ("up_s", "degraded_s", "down_s", "unknown_s", "maintenance_s")


@dataclass(slots=True, kw_only=True)
class _Turns:
    """Which monitors change: ``held`` are not checked any more, ``freed`` again, since when."""

    touched: set[int] = field(default_factory=set)
    held: set[int] = field(default_factory=set)
    freed: dict[int, datetime] = field(default_factory=dict)


def windows_apply(*, now: datetime) -> int:
    """Begin and end the windows that are due; return of how many orgs."""
    due = MaintenanceWindow.objects.across_orgs(reason=_ACROSS).filter(next_change_at__lte=now)
    org_ids = sorted(set(due.values_list("org_id", flat=True)))
    for org_id in org_ids:
        _org_apply(org_id, now)
    return len(org_ids)


def windows_look_again(*, org: models.Model | int, now: datetime) -> None:
    """Have the windows that are not over look again which monitors they cover."""
    rows = MaintenanceWindow.objects.for_org(org).filter(is_enabled=True)
    rows.filter(next_change_at__isnull=False).update(next_change_at=now)


def window_release(*, window: MaintenanceWindow, now: datetime) -> None:
    """Take every monitor out of a window, which is about to be deleted."""
    _follow(window, None, now)
    publish(MaintenanceChanged(org_id=window.org_id, at=now))


@transaction.atomic
def _org_apply(org_id: int, now: datetime) -> None:
    rows = MaintenanceWindow.objects.for_org(org_id).filter(next_change_at__lte=now)
    for row in rows.select_for_update(skip_locked=True, of=("self",)).order_by("pk"):
        window = window_of(row)
        _follow(row, span_at(window, now) if row.is_enabled else None, now)
        changes_at = next_change(window, now) if row.is_enabled else None
        MaintenanceWindow.objects.for_org(org_id).filter(pk=row.pk).update(
            next_change_at=changes_at
        )
    publish(MaintenanceChanged(org_id=org_id, at=now))


def _follow(window: MaintenanceWindow, span: Span | None, now: datetime) -> None:
    """Bring the members of one window to those it covers now."""
    members = {row.monitor_id: row for row in window.members.all()}
    wanted = set(window_monitors(window).values_list("pk", flat=True)) if span else set()
    touched = (wanted ^ members.keys()) | {
        key for key, row in members.items() if row.is_collecting != window.is_collecting
    }
    before = _held(touched)
    window.members.exclude(monitor_id__in=wanted).delete()
    if span is not None:
        rows = [
            MonitorMaintenance(
                org_id=window.org_id,
                monitor_id=key,
                window=window,
                since=members[key].since if key in members else now,
                until=span.ends_at,
                is_collecting=window.is_collecting,
            )
            for key in sorted(wanted)
        ]
        MonitorMaintenance.objects.across_orgs(reason=_ACROSS).bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["monitor", "window"],
            update_fields=["until", "is_collecting"],
        )
    after = _held(touched)
    turns = _Turns(
        touched=touched,
        held=after.keys() - before.keys(),
        freed={key: since for key, since in before.items() if key not in after},
    )
    _turn(window.org_id, turns, now)


def _held(keys: Iterable[int]) -> dict[int, datetime]:
    """Return since when monitors are not checked because of windows, of those that are."""
    rows = MonitorMaintenance.objects.across_orgs(reason=_ACROSS).filter(
        monitor_id__in=list(keys), is_collecting=False
    )
    found: dict[int, datetime] = {}
    for key, since in rows.order_by("since").values_list("monitor_id", "since"):
        found.setdefault(key, since)
    return found


def _turn(org_id: int, turns: _Turns, now: datetime) -> None:
    if not turns.touched:
        return
    monitors = Monitor.objects.for_org(org_id)
    monitors.filter(pk__in=turns.touched).update(config_version=F("config_version") + 1)
    slots = MonitorSchedule.objects.for_org(org_id)
    versions = dict(monitors.filter(pk__in=turns.touched).values_list("pk", "config_version"))
    for version in sorted(set(versions.values())):
        keys = [key for key, its in versions.items() if its == version]
        slots.filter(monitor_id__in=keys).update(config_version=version)
    if turns.held:
        slots.filter(monitor_id__in=turns.held).update(
            is_active=False, epoch=F("epoch") + 1, lease_owner="", lease_until_ms=0
        )
        _series_end(list(monitors.filter(pk__in=turns.held).select_related("org")), now)
    if turns.freed:
        _count(turns.freed, now)
        enabled = monitors.filter(pk__in=turns.freed, is_enabled=True).values("pk")
        slots.filter(monitor_id__in=enabled).update(
            is_active=True, epoch=F("epoch") + 1, next_due_ms=to_ms(now)
        )
    send_on_commit("collector", {})


def _series_end(monitors: Sequence[Monitor], now: datetime) -> None:
    """End the series once it is durable that nobody writes more of them."""

    def end() -> None:
        store = series_store()
        for monitor in monitors:
            series_end(store=store, tenant=monitor.org.uid, monitor=monitor.name, now=now)

    transaction.on_commit(end, robust=True)


def _count(freed: Mapping[int, datetime], now: datetime) -> None:
    """Count the time in which nobody looked as maintenance."""
    states = MonitorState.objects.across_orgs(reason=_ACROSS).filter(monitor_id__in=freed)
    finished: list[MonitorUptime] = []
    for state in states.defer("recent", "message"):
        start = freed[state.monitor_id]
        running, hours = hours_credit(
            Hour(hour_ms=state.hour_ms, **{name: getattr(state, name) for name in _COUNTED}),
            "maintenance_s",
            start_ms=to_ms(start),
            end_ms=to_ms(now),
        )
        finished += [
            MonitorUptime(org_id=state.org_id, monitor_id=state.monitor_id, **asdict(hour))
            for hour in hours
        ]
        for name, value in asdict(running).items():
            setattr(state, name, value)
        state.counted_at = now
        state.save(update_fields=["hour_ms", *_COUNTED, "counted_at"])
    MonitorUptime.objects.across_orgs(reason=_ACROSS).bulk_create(
        finished,
        update_conflicts=True,
        unique_fields=["monitor", "hour_ms"],
        update_fields=list(_COUNTED),
    )
