"""Alerts as values and as rows: nothing is lost in either direction."""

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter

from django.db import connection

from apps.alerting.enums import AlertCondition, AlertState, TransitionReason
from apps.alerting.models import Alert, AlertEvent, Rule, RuleGroup
from apps.alerting.services.state_values import Instance, Transition
from detectviz.clock import from_ms, to_ms
from detectviz.gotemplate.values import format_float
from detectviz.tenancy.listed import Texts
from detectviz.tenancy.writing import rows_write

# By what sorts alike in Python and in every collation of a database; a name ends with it.
LOCK_ORDER = attrgetter("fingerprint", "name")
WRITTEN_FIELDS = (
    "folder",
    "labels",
    "annotations",
    "state",
    "condition",
    "value",
    "active_at",
    "fired_at",
    "keep_firing_since",
    "resolved_at",
    "last_sent_at",
    "source",
    "reason",
    "missed",
    "is_flapping",
    "flips",
)


def instance_of(row: Alert) -> Instance:
    """Return a row as the state machine's value."""
    return Instance(
        fingerprint=row.fingerprint,
        labels=row.labels,
        annotations=row.annotations,
        state=AlertState(row.state),
        condition=AlertCondition(row.condition) if row.condition else None,
        value=float(row.value),
        active_at_ms=to_ms(row.active_at),
        fired_at_ms=_ms(row.fired_at),
        keep_firing_since_ms=_ms(row.keep_firing_since),
        resolved_at_ms=_ms(row.resolved_at),
        last_sent_at_ms=_ms(row.last_sent_at),
        source=row.source,
        reason=TransitionReason(row.reason) if row.reason else None,
        missed=row.missed,
        is_flapping=row.is_flapping,
        flips=tuple(row.flips),
    )


def alert_name(rule: Rule, fingerprint: str) -> str:
    """Return the name of an alert's row, unique in its org."""
    return f"{rule.uid}-{fingerprint}"


def row_of(rule: Rule, instance: Instance, *, folder_id: int | None = None) -> Alert:
    """Return a value as a row of its rule, not saved."""
    return Alert(
        org_id=rule.org_id,
        rule=rule,
        folder_id=folder_id,
        name=alert_name(rule, instance.fingerprint),
        fingerprint=instance.fingerprint,
        labels=dict(instance.labels),
        annotations=dict(instance.annotations),
        state=instance.state,
        condition=instance.condition or "",
        value=format_float(instance.value),
        active_at=from_ms(instance.active_at_ms),
        fired_at=_at(instance.fired_at_ms),
        keep_firing_since=_at(instance.keep_firing_since_ms),
        resolved_at=_at(instance.resolved_at_ms),
        last_sent_at=_at(instance.last_sent_at_ms),
        source=dict(instance.source),
        reason=instance.reason or "",
        missed=instance.missed,
        is_flapping=instance.is_flapping,
        flips=list(instance.flips),
    )


def event_of(group: RuleGroup, rule: Rule, change: Transition) -> AlertEvent:
    """Return a transition as a row of the history, not saved."""
    instance = change.instance
    return AlertEvent(
        org_id=rule.org_id,
        rule=rule,
        group_name=group.name,
        rule_name=rule.name,
        fingerprint=instance.fingerprint,
        labels=dict(instance.labels),
        annotations=dict(instance.annotations),
        previous=change.previous,
        state=change.state,
        reason=change.reason or "",
        value=format_float(instance.value),
        at=from_ms(change.at_ms),
    )


def is_same(before: Instance, after: Instance) -> bool:
    """Whether writing would change nothing; NaN is the same as NaN."""
    return row_key(before) == row_key(after)


def row_key(instance: Instance) -> tuple[object, ...]:
    """Return what is written of an instance, comparable."""
    return (
        instance.state,
        instance.condition,
        format_float(instance.value),
        instance.active_at_ms,
        instance.fired_at_ms,
        instance.keep_firing_since_ms,
        instance.resolved_at_ms,
        instance.last_sent_at_ms,
        instance.labels,
        instance.annotations,
        instance.source,
        instance.reason,
        instance.missed,
        instance.is_flapping,
        instance.flips,
    )


def alerts_save(rows: Iterable[Alert]) -> None:
    """Insert or update rows in one statement, in the order of locks; what others own stays."""
    rows = sorted(rows, key=LOCK_ORDER)
    rows_write(rows, unique=("org", "name"), update=WRITTEN_FIELDS)


def alerts_lock(*, org_id: int, names: Iterable[str]) -> None:
    """Lock rows in the one order before statements that take them in an order of their own.

    A database with one writer at a time needs none of this.
    """
    if not connection.features.has_select_for_update:
        return
    rows = Alert.objects.for_org(org_id).filter(name__in=Texts(names))
    list(rows.select_for_update().order_by("fingerprint", "pk").values_list("pk", flat=True))


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else to_ms(moment)


def _at(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)
