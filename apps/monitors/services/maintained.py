"""What the windows that are on, now or at another time, say of alerts and monitors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models

from apps.monitors.models import Monitor
from apps.monitors.selectors.maintenance import (
    Maintenance,
    maintenance_value,
    window_list,
    window_monitors,
)
from apps.monitors.services.window_specs import window_of
from apps.monitors.services.windows import span_at


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintainedAlerts:
    """Alerts that match are in maintenance; with a folder only those of its rule groups."""

    matchers: Sequence[str]
    folder_id: int | None
    maintenance: Maintenance


def maintained_alerts(org: models.Model | int, now: datetime) -> list[MaintainedAlerts]:
    """Return what the windows that are on now say of alerts."""
    found = []
    for row in window_list(org=org).filter(is_enabled=True).exclude(matchers=[]):
        span = span_at(window_of(row), now)
        if span is not None:
            found.append(
                MaintainedAlerts(
                    matchers=row.matchers,
                    folder_id=row.folder_id,
                    maintenance=maintenance_value(row, span.ends_at),
                )
            )
    return found


def maintained_then(org: models.Model | int, monitor: str, at: datetime) -> list[Maintenance]:
    """Return the windows that a monitor is in at a time, as they are planned now.

    One that somebody set to maintenance is taken to be so then.
    """
    found = []
    for row in window_list(org=org).filter(is_enabled=True):
        span = span_at(window_of(row), at)
        if span is not None and window_monitors(row).filter(name=monitor).exists():
            found.append(maintenance_value(row, span.ends_at))
    flagged = Monitor.objects.for_org(org).filter(name=monitor, is_in_maintenance=True)
    return [*found, Maintenance()] if flagged.exists() else found
