"""Making, changing, pausing and deleting monitors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db import models, transaction

from apps.monitors.models import Monitor, MonitorSchedule, MonitorState, ScrapeStatus
from apps.monitors.selectors.dependencies import dependency_way_back
from apps.monitors.services.configuration import (
    collector_configuration,
    collector_manifest,
    is_passive,
)
from apps.monitors.services.heartbeats import heartbeat_ensure, heartbeat_remove
from apps.monitors.services.maintenance import windows_look_again
from apps.monitors.services.samples import series_end
from apps.monitors.services.schedule import schedule_renew
from apps.monitors.services.scrapes import scrapes_end
from apps.series.selectors import series_store
from detectviz.clock import to_ms, utc_now
from detectviz.resources.errors import InvalidFieldsError
from detectviz.runtime.signals import send_on_commit

# A change of these matters to the identity of series, the others to running checks.
_SERIES_FIELDS = frozenset({"name", "labels", "type", "location", "config"})
_COVERED_BY = frozenset({"name", "labels", "folder"})  # what maintenance windows ask of a monitor
_WORDS = frozenset({"folder", "title", "description", "runbook_url", "notes", "depends_on"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorDraft:
    """The wanted values of a monitor, validated field by field but not yet by the plugin."""

    name: str
    labels: Mapping[str, str]
    folder: models.Model | None
    title: str
    type: str
    description: str
    runbook_url: str
    notes: str
    location: str
    interval_s: float
    timeout_s: float
    retries: int
    retry_interval_s: float
    is_enabled: bool
    is_inverted: bool
    is_in_maintenance: bool
    degraded_above_s: float | None
    down_above_s: float | None
    depends_on: Sequence[str]
    config: Mapping[str, Any]
    secrets: Mapping[str, Any]


_FIELDS = tuple(each.name for each in fields(MonitorDraft))
_CHECKED_FIELDS = frozenset(_FIELDS) - _WORDS


def draft_of(
    spec: Mapping[str, Any], *, name: str, labels: Mapping[str, str], folder: models.Model | None
) -> MonitorDraft:
    """Return the draft that a validated spec means."""
    return MonitorDraft(
        name=name,
        labels=labels,
        folder=folder,
        title=spec["title"],
        type=spec["type"],
        description=spec["description"],
        runbook_url=spec["runbook_url"],
        notes=spec["notes"],
        location=spec["location"],
        interval_s=spec["interval"],
        timeout_s=spec["timeout"],
        retries=spec["retries"],
        retry_interval_s=spec["retry_interval"],
        is_enabled=spec["enabled"],
        is_inverted=spec["inverted"],
        is_in_maintenance=spec["maintenance"],
        degraded_above_s=spec["degraded_above"],
        down_above_s=spec["down_above"],
        depends_on=list(dict.fromkeys(spec["depends_on"])),
        config=spec["config"],
        secrets=spec["secrets"],
    )


def monitor_write(
    *, org: models.Model, draft: MonitorDraft, instance: Monitor | None, now: datetime | None = None
) -> Monitor:
    """Create a monitor, or bring ``instance`` to the draft; it is checked at once if that matters.

    Raise InvalidFieldsError naming ``spec.type``, ``spec.config.…`` or ``spec.secrets.…``. Call it
    in a transaction; collectors are woken when that commits.
    """
    now = now or utc_now()
    checked = collector_configuration(
        type_name=draft.type,
        config=draft.config,
        secrets=draft.secrets,
        instance=instance,
        org=org,
    )
    _cycle_refuse(org, draft)
    monitor = instance or Monitor(org_id=org.pk)
    before = {name: _comparable(monitor, name) for name in _FIELDS}
    values = {name: getattr(draft, name) for name in _FIELDS}
    values |= {"labels": dict(draft.labels), "config": checked.config, "secrets": checked.secrets}
    changed = {name for name in _FIELDS if values[name] != before[name]}
    if instance is not None and not changed:
        return monitor
    for name in _FIELDS:
        setattr(monitor, name, values[name])
    monitor.config_version += int(instance is not None and bool(changed & _CHECKED_FIELDS))
    monitor.save()
    if is_passive(collector_manifest(draft.type)):
        heartbeat_ensure(monitor=monitor, now=now)
    else:
        heartbeat_remove(monitor=monitor)
    if instance is None:
        MonitorState.objects.create_for(org, monitor=monitor, since=now)
        _reschedule(monitor, now)
    elif changed & _CHECKED_FIELDS:
        _reschedule(monitor, now)
        if changed & _SERIES_FIELDS or not monitor.is_enabled:
            _end_series(monitor, before["name"], now)
    if changed & _COVERED_BY:
        windows_look_again(org=org, now=now)
    return monitor


def _cycle_refuse(org: models.Model, draft: MonitorDraft) -> None:
    if not draft.depends_on:
        return
    way = dependency_way_back(org, draft.name, draft.depends_on)
    if way:
        message = f"A monitor can't depend on itself: {' → '.join(way)}."
        raise InvalidFieldsError({"spec.depends_on": [message]})


def monitor_delete(*, monitor: Monitor, now: datetime | None = None) -> None:
    """Delete a monitor with its state and history; its series end but stay for their retention."""
    _end_series(monitor, monitor.name, now or utc_now())
    # First the schedule: it fences results in flight, which would write history meanwhile.
    MonitorSchedule.objects.for_org(monitor.org_id).filter(monitor=monitor).delete()
    monitor.delete()


def _reschedule(monitor: Monitor, now: datetime) -> None:
    schedule_renew(monitor=monitor, now=now)
    send_on_commit("collector", {})


def _end_series(monitor: Monitor, name: str, now: datetime) -> None:
    tenant: str = monitor.org.uid
    status = ScrapeStatus.objects.for_org(monitor.org_id).filter(monitor=monitor).first()
    targets = [each["labels"] for each in status.active if each.get("labels")] if status else []
    transaction.on_commit(
        lambda: _series_end(tenant, name, targets, now),
        robust=True,  # the monitor is changed whether or not the series store answers
    )


def _series_end(tenant: str, name: str, targets: list[dict[str, str]], now: datetime) -> None:
    store = series_store()
    series_end(store=store, tenant=tenant, monitor=name, now=now)
    scrapes_end(store=store, tenant=tenant, targets=targets, now_ms=to_ms(now))


def _comparable(monitor: Monitor, name: str) -> Any:
    value = getattr(monitor, name)
    return dict(value) if isinstance(value, Mapping) else value
