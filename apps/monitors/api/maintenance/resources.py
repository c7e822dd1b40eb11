"""The registration of ``monitoring/v1 MaintenanceWindow``."""

from datetime import datetime
from itertools import islice
from typing import Any, ClassVar

from django.db import models

from apps.monitors.api.maintenance.serializers import MaintenanceWindowSpec
from apps.monitors.models import MaintenanceWindow
from apps.monitors.selectors.maintenance import window_monitors
from apps.monitors.services.maintenance import window_release
from apps.monitors.services.window_specs import (
    window_begin,
    window_end,
    window_of,
    window_state,
    window_write,
)
from apps.monitors.services.windows import span_at, spans
from detectviz.clock import utc_now
from detectviz.contracts.durations import format_duration
from detectviz.resources.registry import ResourceKind, Subresource, Write

SHOWN_SPANS = 5


def _begin(request: Any, org: Any, instance: MaintenanceWindow) -> dict[str, Any]:
    return MaintenanceWindowKind().to_status(window_begin(window=instance, now=utc_now()))


def _end(request: Any, org: Any, instance: MaintenanceWindow) -> dict[str, Any]:
    return MaintenanceWindowKind().to_status(window_end(window=instance, now=utc_now()))


class MaintenanceWindowKind(ResourceKind[MaintenanceWindow]):
    """Times at which monitors are worked on and nobody is told of them."""

    group = "monitoring"
    kind = "MaintenanceWindow"
    plural = "maintenancewindows"
    model = MaintenanceWindow
    permission = "maintenancewindows"
    spec_serializer = MaintenanceWindowSpec
    field_selectors: ClassVar[dict[str, str]] = {
        "spec.strategy": "strategy",
        "spec.enabled": "is_enabled",
        "spec.collect": "is_collecting",
    }
    apply_order = 35
    subresources: ClassVar[tuple[Subresource, ...]] = (
        Subresource(
            name="begin",
            method="POST",
            permission="update",
            handler=_begin,
            is_act=True,
            summary="Begin the window now, for its whole length; its plan stays.",
        ),
        Subresource(
            name="end",
            method="POST",
            permission="update",
            handler=_end,
            is_act=True,
            summary="End what is on now; the times to come stay.",
        ),
    )

    def to_spec(self, instance: MaintenanceWindow) -> dict[str, Any]:
        """Return the spec as written."""
        duration_s = instance.duration_ms / 1000
        return {
            "title": instance.title,
            "enabled": instance.is_enabled,
            "strategy": instance.strategy,
            "starts_at": _when(instance.starts_at),
            "ends_at": _when(instance.ends_at),
            "cron": instance.cron,
            "weekdays": instance.weekdays,
            "days": instance.days,
            "nth_weekdays": instance.nth_weekdays,
            "start_time": instance.start_time,
            "duration": format_duration(duration_s) if duration_s else None,
            "location": instance.location,
            "all_monitors": instance.covers_all,
            "monitors": instance.monitors,
            "selector": instance.selector,
            "folders": instance.folders,
            "matchers": instance.matchers,
            "collect": instance.is_collecting,
            "note": instance.note,
        }

    def to_status(self, instance: MaintenanceWindow) -> dict[str, Any]:
        """Return whether it is on, until when, what comes next, and how many monitors it has."""
        now, window = utc_now(), window_of(instance)
        current = span_at(window, now) if instance.is_enabled else None
        ahead = spans(window, after=now) if instance.is_enabled else iter(())
        following = islice((each for each in ahead if each.starts_at > now), SHOWN_SPANS)
        return {
            "state": window_state(instance, now).value,
            "since": _when(current.starts_at) if current else None,
            "until": _when(current.ends_at) if current else None,
            "next": [
                {"starts_at": _when(each.starts_at), "ends_at": _when(each.ends_at)}
                for each in following
            ],
            "monitors": window_monitors(instance).count(),
        }

    def write(self, change: Write[MaintenanceWindow]) -> MaintenanceWindow:
        """Create or update the window; it holds within a second."""
        return window_write(
            org=change.org,
            name=change.name,
            spec=change.spec,
            folder=change.folder,
            instance=change.instance,
            now=utc_now(),
        )

    def remove(self, instance: MaintenanceWindow, *, actor: models.Model | None) -> None:
        """Take its monitors out of maintenance and delete it."""
        window_release(window=instance, now=utc_now())
        instance.delete()


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
