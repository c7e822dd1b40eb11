"""What the windows that are on now say of alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models

from apps.monitors.selectors.maintenance import Maintenance, maintenance_value, window_list
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
