"""What one flush comes to for one receiver, as pure functions over a group's alerts."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from apps.notifications.services.alert_facts import TellableAlert
from apps.notifications.services.causes import Causes
from apps.notifications.services.decision import LastSent, Reason, decide
from apps.notifications.services.handled import QUIETING, picture_of


class Action(StrEnum):
    """What a flush does about a receiver; ``remember`` is what nobody needs to be told of."""

    NOTHING = "nothing"
    REMEMBER = "remember"
    TELL = "tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group at one flush: its alerts, what holds some of them back, the end of a snooze."""

    firing: Sequence[TellableAlert]
    resolved: Sequence[TellableAlert]
    causes: Causes
    woken_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do, and the alerts it is about."""

    action: Action
    firing: Sequence[TellableAlert] = ()
    resolved: Sequence[TellableAlert] = ()
    reason: Reason = Reason.UNCHANGED


def muted_of(causes: Causes) -> set[str]:
    """Return the fingerprints that are held back by more than what people know already."""
    return {
        one for one, chain in causes.items() if not QUIETING.issuperset(each.kind for each in chain)
    }


def group_view(
    *,
    firing: Sequence[TellableAlert],
    resolved: Sequence[TellableAlert],
    causes: Causes,
    woken_at: datetime | None,
) -> GroupView:
    """Return a group as its receivers see it: what is over and muted is left out."""
    muted = muted_of(causes)
    over = [alert for alert in resolved if alert.fingerprint not in muted]
    return GroupView(firing=firing, resolved=over, causes=causes, woken_at=woken_at)


def receiver_verdict(
    *,
    view: GroupView,
    last: LastSent | None,
    sends_resolved: bool,
    repeat_interval: timedelta,
    now: datetime,
) -> Verdict:
    """Decide for one receiver at one flush."""
    known = last.firing if last else frozenset[str]()
    picture = picture_of(view.firing, causes=view.causes, known=known)
    if not picture.firing and not view.resolved:
        # Everything is held back: as in Alertmanager, what receivers know stays as it was.
        return Verdict(action=Action.NOTHING)
    reason = decide(
        firing={alert.fingerprint for alert in picture.firing},
        resolved={alert.fingerprint for alert in view.resolved},
        last=last,
        sends_resolved=sends_resolved,
        repeat_interval=repeat_interval,
        now=now,
        quiet=picture.quiet,
        woken_at=view.woken_at,
    )
    if not reason.sends:
        return Verdict(action=Action.NOTHING, reason=reason)
    over = view.resolved if sends_resolved else []
    if not picture.firing and not over:
        # Nothing to say, but remembered as said, so that the next fire notifies again.
        return Verdict(action=Action.REMEMBER, resolved=view.resolved, reason=reason)
    return Verdict(action=Action.TELL, firing=picture.firing, resolved=over, reason=reason)


def free_to_go(
    over: Iterable[TellableAlert],
    *,
    believed: AbstractSet[str],
    muted: Collection[str],
    options: Mapping[str, Any],
) -> list[TellableAlert]:
    """Return the alerts that are over and that no receiver believes in any more.

    What was resolved while ``muted`` goes too, as in Alertmanager, unless the route wants it told
    afterwards.
    """
    kept = set(believed)
    if not options.get("notify_resolved_while_muted"):
        kept -= set(muted)
    return [alert for alert in over if alert.fingerprint not in kept]
