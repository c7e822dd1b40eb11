"""What people do about alerts: acknowledge, assign, snooze, comment and close.

All of it speaks of one firing and ends with it. Closing by hand tells everybody that the alert is
over and holds for as long as its condition does (Zabbix calls it manual close): what the rule
still finds is not told, and only a condition that went away and came back fires anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.db import models, transaction

from apps.alerting.enums import AlertState, AssigneeKind, HandlingAction
from apps.alerting.models import Alert, AlertHandling, HandlingEvent
from apps.alerting.services.state_values import REASON_KEY
from detectviz.events.bus import publish
from detectviz.events.types import AlertChanged, AlertHandled, SecurityEventOccurred
from detectviz.resources.errors import ConflictError
from detectviz.runtime import signals

CLOSED_REASON = "ClosedByHand"
_FIRING = frozenset({AlertState.FIRING.value, AlertState.RECOVERING.value})
_OPEN = _FIRING | {AlertState.PENDING.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: a user, or with ``user_id`` None a name from elsewhere, as of a chat."""

    name: str
    user_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An alert people act on. ``began_at`` is when its condition did, ``fired_at`` when it fired.

    ``name`` is what audit calls it. Alerts from outside have no rule.
    """

    fingerprint: str
    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    began_at: datetime
    fired_at: datetime | None
    is_open: bool
    rule_group: str = ""
    rule: str = ""

    @property
    def starts_at(self) -> datetime:
        """When the firing began, of a pending alert its condition."""
        return self.fired_at or self.began_at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deed:
    """One action on some alerts."""

    action: HandlingAction
    comment: str = ""
    details: Mapping[str, Any]
    changes: Mapping[str, Any]
    needs_firing: bool = True


def actor_of(user: Any) -> Actor:
    """Return a signed-in user as an actor."""
    return Actor(name=str(user), user_id=user.pk)


def subject_of(alert: Alert) -> Subject:
    """Return the alert of a rule as what people act on."""
    rule = alert.rule
    return Subject(
        fingerprint=alert.fingerprint,
        name=alert.name,
        labels=alert.labels,
        annotations=alert.annotations,
        began_at=alert.active_at,
        fired_at=alert.fired_at if alert.state in _FIRING else None,
        is_open=alert.state in _OPEN,
        rule_group=rule.group.name if rule is not None else "",
        rule=rule.name if rule is not None else "",
    )


def alerts_acknowledge(
    *,
    org: models.Model,
    actor: Actor,
    alerts: Sequence[Subject],
    now: datetime,
    comment: str = "",
    until: datetime | None = None,
) -> int:
    """Take firing alerts: nobody is reminded of them until they resolve, or until ``until``."""
    changes = {
        "acknowledged_at": now,
        "acknowledged_by": actor.name,
        "acknowledged_until": until,
    }
    deed = _Deed(
        action=HandlingAction.ACKNOWLEDGE,
        comment=comment,
        details={"until": _text(until)},
        changes=changes,
    )
    return _do(org, actor, alerts, deed, now)


def alerts_unacknowledge(
    *, org: models.Model, actor: Actor, alerts: Sequence[Subject], now: datetime, comment: str = ""
) -> int:
    """Give alerts back: reminders go on."""
    changes = {"acknowledged_at": None, "acknowledged_by": "", "acknowledged_until": None}
    action = HandlingAction.UNACKNOWLEDGE
    deed = _Deed(action=action, comment=comment, details={}, changes=changes)
    return _do(org, actor, alerts, deed, now)


def alerts_assign(
    *,
    org: models.Model,
    actor: Actor,
    alerts: Sequence[Subject],
    now: datetime,
    kind: AssigneeKind | None,
    assignee: str = "",
    comment: str = "",
) -> int:
    """Say whose alerts they are: a user's, a team's, or with ``kind`` None nobody's."""
    changes = {"assignee_kind": kind.value if kind else "", "assignee": assignee if kind else ""}
    details = {"kind": changes["assignee_kind"], "name": changes["assignee"]}
    deed = _Deed(
        action=HandlingAction.ASSIGN,
        comment=comment,
        details=details,
        changes=changes,
        needs_firing=False,
    )
    return _do(org, actor, alerts, deed, now)


def alerts_snooze(
    *,
    org: models.Model,
    actor: Actor,
    alerts: Sequence[Subject],
    now: datetime,
    until: datetime,
    comment: str = "",
) -> int:
    """Have nobody told until then; whoever knew is told again after it if they still fire."""
    if until <= now:
        raise ConflictError("A snooze must end in the future.")
    changes = {"snoozed_at": now, "snoozed_by": actor.name, "snoozed_until": until}
    details = {"until": _text(until)}
    deed = _Deed(action=HandlingAction.SNOOZE, comment=comment, details=details, changes=changes)
    return _do(org, actor, alerts, deed, now)


def alerts_unsnooze(
    *, org: models.Model, actor: Actor, alerts: Sequence[Subject], now: datetime, comment: str = ""
) -> int:
    """End a snooze now."""
    changes = {"snoozed_until": now}
    action = HandlingAction.UNSNOOZE
    deed = _Deed(action=action, comment=comment, details={}, changes=changes)
    return _do(org, actor, alerts, deed, now)


def alerts_comment(
    *, org: models.Model, actor: Actor, alerts: Sequence[Subject], now: datetime, comment: str
) -> int:
    """Leave words for others; alerts that are over take them too."""
    for alert in alerts:
        deed = _Deed(action=HandlingAction.COMMENT, comment=comment, details={}, changes={})
        _write_down(org, actor, alert, deed, now)
    return len(alerts)


def alerts_close(
    *, org: models.Model, actor: Actor, alerts: Sequence[Subject], now: datetime, comment: str = ""
) -> int:
    """End firing alerts by hand; receivers are told that they are over."""
    changes = {"closed_at": now, "closed_by": actor.name}
    deed = _Deed(action=HandlingAction.CLOSE, comment=comment, details={}, changes=changes)
    return _do(org, actor, alerts, deed, now)


def handlings_end(*, org_id: int, fingerprints: Sequence[str]) -> None:
    """Forget what was decided about alerts that are over; what was done stays written."""
    rows = AlertHandling.objects.for_org(org_id)
    fingerprints = sorted(fingerprints)
    for start in range(0, len(fingerprints), 500):
        some = rows.filter(fingerprint__in=fingerprints[start : start + 500])
        list(some.select_for_update().order_by("fingerprint").values_list("pk", flat=True))
        some.delete()


@transaction.atomic
def _do(
    org: models.Model, actor: Actor, alerts: Sequence[Subject], deed: _Deed, now: datetime
) -> int:
    """Change the handling of what may be handled so; return how many alerts that were."""
    done: list[Subject] = []
    for alert in sorted(alerts, key=attrgetter("fingerprint")):
        if not alert.is_open or (deed.needs_firing and alert.fired_at is None):
            continue
        handling = _locked(org, alert)
        if handling.closed_at is not None:
            continue
        for name, value in deed.changes.items():
            setattr(handling, name, value)
        handling.save()
        done.append(alert)
    # Handlings first, then the inbox, then who listens: one order of locks for all (docs/adr/0035).
    if deed.action is HandlingAction.CLOSE:
        publish(*(_closed(org, alert, now) for alert in done))
    for alert in done:
        _write_down(org, actor, alert, deed, now)
    return len(done)


def _locked(org: models.Model, alert: Subject) -> AlertHandling:
    """Return the handling of this firing, for update; one of an earlier firing begins anew."""
    rows = AlertHandling.objects.for_org(org)
    handling: AlertHandling | None = (
        rows.select_for_update().filter(fingerprint=alert.fingerprint).first()
    )
    if handling is not None and not handling.speaks_of(alert.began_at):
        handling.delete()
        handling = None
    if handling is None:
        return AlertHandling(
            org_id=org.pk, fingerprint=alert.fingerprint, starts_at=alert.starts_at
        )
    handling.starts_at = max(handling.starts_at, alert.starts_at)
    return handling


def _write_down(
    org: models.Model, actor: Actor, alert: Subject, deed: _Deed, now: datetime
) -> None:
    """Keep what was done, and tell audit, other apps and open pages."""
    HandlingEvent.objects.for_org(org).create(
        org_id=org.pk,
        fingerprint=alert.fingerprint,
        action=deed.action,
        actor_id=actor.user_id,
        actor_name=actor.name,
        at=now,
        comment=deed.comment,
        details=dict(deed.details),
        group_name=alert.rule_group,
        rule_name=alert.rule,
        fired_at=alert.fired_at,
        after_s=(now - alert.fired_at).total_seconds() if alert.fired_at else None,
    )
    details = {**deed.details, "comment": deed.comment, "by": actor.name}
    publish(
        SecurityEventOccurred(
            action=f"alert.{deed.action}",
            org_id=org.pk,
            actor_id=actor.user_id,
            kind="Alert",
            name=alert.name,
            details={key: value for key, value in details.items() if value},
        )
    )
    publish(
        AlertHandled(
            org_id=org.pk,
            fingerprint=alert.fingerprint,
            action=deed.action.value,
            actor_id=actor.user_id,
            actor_name=actor.name,
            at=now,
            comment=deed.comment,
            details=deed.details,
        )
    )
    payload = {"org": org.pk, "event": "alerts", "data": {"alert": alert.fingerprint}}
    signals.send_on_commit("web", payload)


def _closed(org: models.Model, alert: Subject, now: datetime) -> AlertChanged:
    return AlertChanged(
        org_id=org.pk,
        fingerprint=alert.fingerprint,
        status="resolved",
        labels=alert.labels,
        annotations={**alert.annotations, REASON_KEY: CLOSED_REASON},
        starts_at=alert.starts_at,
        ends_at=now,
        rule_group=alert.rule_group,
        rule=alert.rule,
        value=None,
        is_transition=True,
    )


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""
