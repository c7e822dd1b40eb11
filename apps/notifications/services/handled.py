"""What people decided keeps reminders back: whoever acknowledged or snoozed knows.

An acknowledged alert is not repeated, but it stays in the picture of those who were told of it:
its end is told, and what is new in its group still shows it. Whoever was not told before hears
nothing of it. A snooze is the same with an end, after which what still fires is told again.
"""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from apps.alerting.models import AlertHandling
from apps.alerting.selectors import handlings_quieting
from apps.notifications.enums import SuppressionKind
from apps.notifications.services.alert_facts import AlertFacts, TellableAlert
from apps.notifications.services.causes import Cause, Causes, Snapshot, SuppressionInput

QUIETING = frozenset({SuppressionKind.ACKNOWLEDGED, SuppressionKind.SNOOZED})


def acknowledged(given: SuppressionInput) -> Causes:
    """Say which alerts somebody has taken."""
    return {
        fingerprint: [
            Cause(
                kind=SuppressionKind.ACKNOWLEDGED,
                name=row.acknowledged_by,
                detail=f"Acknowledged by {row.acknowledged_by}",
                until=row.acknowledged_until,
            )
        ]
        for fingerprint, row in _handlings(given).items()
        if row.is_acknowledged(given.now)
    }


def snoozed(given: SuppressionInput) -> Causes:
    """Say which alerts nobody wants to hear of for now."""
    return {
        fingerprint: [
            Cause(
                kind=SuppressionKind.SNOOZED,
                name=row.snoozed_by,
                detail=f"Snoozed by {row.snoozed_by}",
                until=row.snoozed_until,
            )
        ]
        for fingerprint, row in _handlings(given).items()
        if row.is_snoozed(given.now)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The firing alerts one receiver is to see; ``quiet`` alone are no reason to repeat."""

    firing: Sequence[TellableAlert]
    quiet: AbstractSet[str]


def picture_of(
    firing: Sequence[TellableAlert], *, causes: Causes, known: AbstractSet[str]
) -> Picture:
    """Leave out what is held back, but for what the receiver knows and somebody took."""
    shown = [
        alert
        for alert in firing
        if alert.fingerprint not in causes
        or (
            alert.fingerprint in known
            and all(cause.kind in QUIETING for cause in causes[alert.fingerprint])
        )
    ]
    quiet = {alert.fingerprint for alert in shown} & causes.keys()
    return Picture(firing=shown, quiet=quiet)


def woken_at(*, snapshot: Snapshot, alerts: Collection[AlertFacts]) -> datetime | None:
    """Return when the last snooze among firing alerts ended, None where none has."""
    ends = [
        row.snoozed_until
        for row in _speaking(snapshot, alerts).values()
        if not row.is_acknowledged(snapshot.now)
        and row.snoozed_until is not None
        and row.snoozed_until <= snapshot.now
    ]
    return max(ends, default=None)


def _handlings(given: SuppressionInput) -> dict[str, AlertHandling]:
    return _speaking(given.snapshot, given.alerts)


def _speaking(snapshot: Snapshot, alerts: Collection[AlertFacts]) -> dict[str, AlertHandling]:
    """Return the handlings that speak of these firings; one query for an org's groups."""
    rows = snapshot.recall("handlings", lambda: handlings_quieting(snapshot.org_id))
    if not rows:
        return {}
    return {
        alert.fingerprint: row
        for alert in alerts
        if (row := rows.get(alert.fingerprint)) is not None and row.speaks_of(alert.starts_at)
    }
