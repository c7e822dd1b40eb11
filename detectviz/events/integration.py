"""Which events leave the transaction, under which type and version, and with what data."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

from detectviz.clock import utc_now
from detectviz.contracts.masking import masked
from detectviz.events.types import AlertChanged, MonitorStateChanged, ResourceChanged

SOURCE = "detectviz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What of an event goes outside; ``key`` keeps the order of what shares it."""

    subject: str
    key: str
    data: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One type of integration event; ``draft`` returns None for what stays inside."""

    name: str
    version: int
    source: type[Any]
    title: str
    draft: Callable[[Any], Draft | None]

    @property
    def schema_file(self) -> str:
        """The file of its JSON Schema, below ``detectviz/events/schemas``."""
        return f"{self.name}.v{self.version}.json"


def _monitor(event: MonitorStateChanged) -> Draft:
    data = {
        "monitor": event.name,
        "previous": event.previous,
        "state": event.state,
        "message": event.message,
        "at": event.at.astimezone(UTC).isoformat(),
    }
    return Draft(subject=event.name, key=f"monitor/{event.monitor_id}", data=data, at=event.at)


def _alert(event: AlertChanged) -> Draft | None:
    if not event.is_transition:
        return None  # repeats of what is known concern notifications alone
    data = {
        "fingerprint": event.fingerprint,
        "status": event.status,
        "labels": dict(event.labels),
        "annotations": dict(event.annotations),
        "starts_at": event.starts_at.astimezone(UTC).isoformat(),
        "ends_at": event.ends_at.astimezone(UTC).isoformat() if event.ends_at else None,
        "rule_group": event.rule_group,
        "rule": event.rule,
        # JSON has no word for what is no finite number.
        "value": event.value if event.value is not None and isfinite(event.value) else None,
    }
    subject = f"{event.rule_group}/{event.rule}"
    return Draft(subject=subject, key=f"alert/{event.fingerprint}", data=data, at=utc_now())


def _resource(event: ResourceChanged) -> Draft:
    data = {
        "action": event.action,
        "api_version": event.api_version,
        "kind": event.kind,
        "name": event.name,
        "uid": event.uid,
        "before": masked(event.before),
        "after": masked(event.after),
    }
    plain = json.loads(json.dumps(data, default=str))
    return Draft(
        subject=f"{event.kind}/{event.name}", key=f"resource/{event.uid}", data=plain, at=utc_now()
    )


EVENT_TYPES: tuple[EventType, ...] = (
    EventType(
        name="detectviz.monitor.state-changed",
        version=1,
        source=MonitorStateChanged,
        title="A monitor's state changed.",
        draft=_monitor,
    ),
    EventType(
        name="detectviz.alert.changed",
        version=1,
        source=AlertChanged,
        title="An alert began firing or was resolved.",
        draft=_alert,
    ),
    EventType(
        name="detectviz.resource.changed",
        version=1,
        source=ResourceChanged,
        title="A resource was created, updated or deleted; secrets are masked.",
        draft=_resource,
    ),
)


def type_of(event: object) -> EventType | None:
    """Return the type under which ``event`` goes outside, None for what stays inside."""
    return next((each for each in EVENT_TYPES if each.source is type(event)), None)


@cache
def schema_of(event_type: EventType) -> dict[str, Any]:
    """Return the JSON Schema of a type's data."""
    path = Path(__file__).with_name("schemas") / event_type.schema_file
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema
