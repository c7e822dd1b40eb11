"""What is in maintenance: which monitors a window covers, and what is covered now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Q

from apps.monitors.models import MaintenanceWindow, Monitor, MonitorMaintenance
from detectviz.resources.errors import NotFoundError
from detectviz.resources.label_selector import parse_label_selector
from detectviz.resources.selectors import label_condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A window that is on; without a name somebody has set the monitor itself to maintenance."""

    name: str = ""
    title: str = ""
    note: str = ""
    until: datetime | None = None
    is_collecting: bool = True


def window_list(*, org: models.Model | int) -> "models.QuerySet[MaintenanceWindow]":
    """Return the org's windows by name."""
    rows: models.QuerySet[MaintenanceWindow] = MaintenanceWindow.objects.for_org(org)
    return rows.select_related("folder").order_by("name")


def window_get(*, org: models.Model | int, name: str) -> MaintenanceWindow:
    """Return one window; raise NotFoundError."""
    found = window_list(org=org).filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found


def window_monitors(window: MaintenanceWindow) -> "models.QuerySet[Monitor]":
    """Return the monitors a window covers whenever it is on."""
    rows: models.QuerySet[Monitor] = Monitor.objects.for_org(window.org_id)
    if window.folder_id is not None:
        rows = rows.filter(folder_id=window.folder_id)
    if window.covers_all:
        return rows
    chosen = Q(name__in=window.monitors) | Q(folder__name__in=window.folders)
    if window.selector:
        selected = Q()
        for requirement in parse_label_selector(window.selector):
            selected &= label_condition(requirement)
        chosen |= selected
    return rows.filter(chosen)


def maintenance_of(
    org: models.Model | int, monitors: Sequence[int], now: datetime
) -> dict[int, list[Maintenance]]:
    """Return the windows that monitors are in now, by their keys, the longest first."""
    rows = MonitorMaintenance.objects.for_org(org).filter(monitor_id__in=monitors, until__gt=now)
    found: dict[int, list[Maintenance]] = {}
    for row in rows.select_related("window").order_by("-until"):
        found.setdefault(row.monitor_id, []).append(maintenance_value(row.window, row.until))
    return found


def maintained_monitors(org: models.Model | int, now: datetime) -> dict[str, list[Maintenance]]:
    """Return every monitor in maintenance now by name, those set so by hand among them."""
    found: dict[str, list[Maintenance]] = {}
    rows = MonitorMaintenance.objects.for_org(org).filter(until__gt=now)
    for row in rows.select_related("window", "monitor").order_by("pk"):
        found.setdefault(row.monitor.name, []).append(maintenance_value(row.window, row.until))
    flagged = Monitor.objects.for_org(org).filter(is_in_maintenance=True)
    for name in flagged.order_by().values_list("name", flat=True):
        found.setdefault(name, []).append(Maintenance())
    return found


def maintenance_value(window: MaintenanceWindow, until: datetime) -> Maintenance:
    """Return a window that is on until a time."""
    return Maintenance(
        name=window.name,
        title=window.title or window.name,
        note=window.note,
        until=until,
        is_collecting=window.is_collecting,
    )
