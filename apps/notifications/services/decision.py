"""The send-decision table of Alertmanager (notify/dedup_stage): send or stay silent, and why."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Reason(StrEnum):
    """Why a flush tells a receiver, or does not."""

    FIRST = "first notification"
    NEW_FIRING = "a new alert is firing"
    NEW_RESOLVED = "an alert was resolved"
    ALL_RESOLVED = "everything is resolved"
    REPEAT = "repeat interval passed"
    NOTHING_FIRING = "nothing is firing"
    UNCHANGED = "nothing new within the repeat interval"

    @property
    def sends(self) -> bool:
        """True when the receiver is told."""
        return self not in {Reason.NOTHING_FIRING, Reason.UNCHANGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class LastSent:
    """What the receiver was last told."""

    firing: AbstractSet[str]
    resolved: AbstractSet[str]
    sent_at: datetime


def decide(
    *,
    firing: AbstractSet[str],
    resolved: AbstractSet[str],
    last: LastSent | None,
    sends_resolved: bool,
    repeat_interval: timedelta,
    now: datetime,
    quiet: AbstractSet[str] = frozenset(),
    woken_at: datetime | None = None,
) -> Reason:
    """Decide for one receiver at one flush; sets hold alert fingerprints.

    ``quiet`` are those of the firing that somebody acknowledged or snoozed: the receiver knows of
    them, and they alone are no reason to repeat. ``woken_at`` is when the last snooze ended: what
    still fires is then told again.
    """
    if last is None:
        return Reason.FIRST if firing else Reason.NOTHING_FIRING
    if not firing <= last.firing:
        return Reason.NEW_FIRING
    if not firing:
        return Reason.ALL_RESOLVED if last.firing else Reason.NOTHING_FIRING
    if sends_resolved and not resolved <= last.resolved:
        return Reason.NEW_RESOLVED
    is_woken = woken_at is not None and last.sent_at < woken_at <= now
    if firing - quiet and (is_woken or last.sent_at < now - repeat_interval):
        return Reason.REPEAT
    return Reason.UNCHANGED
