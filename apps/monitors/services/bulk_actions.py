"""The same change to many monitors, each written as a resource: validated, versioned, audited."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import models, transaction

from apps.monitors.models import Monitor
from detectviz.resources.registry import ResourceKind, registry
from detectviz.resources.services import resource_delete, resource_write

SpecChange = Callable[[dict[str, Any]], dict[str, Any]]


@transaction.atomic
def monitors_enable(
    *,
    org: models.Model,
    actor: models.Model | None,
    monitors: Iterable[Monitor],
    is_enabled: bool,
) -> int:
    """Pause (False) or resume (True); return how many changed."""
    return _monitors_change(org, actor, monitors, lambda spec: {**spec, "enabled": is_enabled})


@transaction.atomic
def monitors_maintain(
    *,
    org: models.Model,
    actor: models.Model | None,
    monitors: Iterable[Monitor],
    is_in_maintenance: bool,
) -> int:
    """Set or clear the maintenance flag; return how many changed."""
    return _monitors_change(
        org, actor, monitors, lambda spec: {**spec, "maintenance": is_in_maintenance}
    )


@transaction.atomic
def monitors_label(
    *,
    org: models.Model,
    actor: models.Model | None,
    monitors: Iterable[Monitor],
    labels: Mapping[str, str],
) -> int:
    """Add or replace labels (an empty value removes one); return how many changed."""
    count = 0
    for monitor in monitors:
        merged = {key: text for key, text in {**monitor.labels, **labels}.items() if text}
        result = resource_write(
            _kind(),
            org=org,
            actor=actor,
            name=monitor.name,
            spec=_kind().to_spec(monitor),
            labels=merged,
            mode="update",
        )
        count += result.outcome != "unchanged"
    return count


@transaction.atomic
def monitors_delete(
    *, org: models.Model, actor: models.Model | None, monitors: Iterable[Monitor]
) -> int:
    """Delete monitors with their state and history; return how many."""
    count = 0
    for monitor in monitors:
        resource_delete(_kind(), org=org, actor=actor, name=monitor.name)
        count += 1
    return count


def _monitors_change(
    org: models.Model,
    actor: models.Model | None,
    monitors: Iterable[Monitor],
    change: SpecChange,
) -> int:
    count = 0
    for monitor in monitors:
        spec = change(_kind().to_spec(monitor))
        result = resource_write(
            _kind(), org=org, actor=actor, name=monitor.name, spec=spec, mode="update"
        )
        count += result.outcome != "unchanged"
    return count


def _kind() -> ResourceKind[Any]:
    kind = registry.by_kind("monitoring/v1", "Monitor")
    assert kind is not None
    return kind
