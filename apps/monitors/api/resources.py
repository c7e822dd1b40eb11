"""The registration of ``monitoring/v1 Monitor``."""

from datetime import datetime
from typing import Any, ClassVar

from django.db import models

from apps.extensions.services import secrets_masked
from apps.monitors.api.maintenance.resources import MaintenanceWindowKind
from apps.monitors.api.serializers import MonitorSpecSerializer
from apps.monitors.api.views import SUBRESOURCES
from apps.monitors.models import Monitor
from apps.monitors.selectors.monitors import monitor_queryset
from apps.monitors.services.monitors import draft_of, monitor_delete, monitor_write
from detectviz.contracts.durations import format_duration
from detectviz.contracts.types import PluginKind
from detectviz.resources.registry import ResourceKind, Write, registry


class MonitorKind(ResourceKind[Monitor]):
    """What to watch, how often, with which collector."""

    group = "monitoring"
    kind = "Monitor"
    plural = "monitors"
    model = Monitor
    permission = "monitors"
    spec_serializer = MonitorSpecSerializer
    search_fields = ("name", "title", "type")
    field_selectors: ClassVar[dict[str, str]] = {
        "spec.type": "type",
        "spec.enabled": "is_enabled",
        "spec.location": "location",
        "spec.maintenance": "is_in_maintenance",
        "spec.inverted": "is_inverted",
        "status.state": "state__state",
        "status.retrying": "state__is_retrying",
    }
    subresources = SUBRESOURCES
    apply_order = 30

    def queryset(self, org: models.Model) -> "models.QuerySet[Monitor]":
        """Return monitors with state and schedule."""
        return monitor_queryset(org.pk)

    def to_spec(self, instance: Monitor) -> dict[str, Any]:
        """Return the spec, durations as text, secrets masked."""
        return {
            "title": instance.title,
            "type": instance.type,
            "description": instance.description,
            "runbook_url": instance.runbook_url,
            "notes": instance.notes,
            "location": instance.location,
            "interval": format_duration(instance.interval_s),
            "timeout": format_duration(instance.timeout_s),
            "retries": instance.retries,
            "retry_interval": format_duration(instance.retry_interval_s),
            "enabled": instance.is_enabled,
            "inverted": instance.is_inverted,
            "maintenance": instance.is_in_maintenance,
            "degraded_above": _optional(instance.degraded_above_s),
            "down_above": _optional(instance.down_above_s),
            "depends_on": list(instance.depends_on),
            "config": dict(instance.config),
            "secrets": secrets_masked(
                kind=PluginKind.COLLECTOR, name=instance.type, secrets=instance.secrets
            ),
        }

    def to_status(self, instance: Monitor) -> dict[str, Any]:
        """Return state and schedule; ``paused`` monitors keep the state they had."""
        state, schedule = instance.state, instance.schedule
        return {
            "state": state.state,
            "since": _when(state.since),
            "paused": not instance.is_enabled,
            "retrying": state.is_retrying,
            "consecutive_failures": state.consecutive_failures,
            "message": state.message,
            "last_check_at": _when(state.last_check_at),
            "last_duration_s": state.last_duration_s,
            "certificate_expires_at": _when(state.certificate_expires_at),
            "slots_skipped": schedule.slots_skipped,
        }

    def write(self, change: Write[Monitor]) -> Monitor:
        """Create or update the row."""
        return monitor_write(
            org=change.org,
            draft=draft_of(
                change.spec, name=change.name, labels=change.labels, folder=change.folder
            ),
            instance=change.instance,
        )

    def remove(self, instance: Monitor, *, actor: models.Model | None) -> None:
        """Delete the row and end its series."""
        monitor_delete(monitor=instance)


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _optional(seconds: float | None) -> str | None:
    return None if seconds is None else format_duration(seconds)


registry.register(MonitorKind())
registry.register(MaintenanceWindowKind())
