"""What is over leaves its group once nobody needs to hear of it; an empty group ends."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.notifications.enums import SuppressionEnding
from apps.notifications.models import AlertGroup, SuppressionEntry
from apps.notifications.services.alert_facts import TellableAlert
from apps.notifications.services.ledger import entries_close, never_told_write
from apps.notifications.services.members import groups_inhabited, groups_over
from apps.notifications.services.threads import threads_forget
from apps.notifications.services.told import Told
from apps.notifications.services.verdict import free_to_go


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Alerts that have left their group, those of them nobody heard of, and whether it is empty."""

    group: AlertGroup
    gone: Sequence[TellableAlert]
    never_told: Sequence[TellableAlert]
    is_empty: bool


def groups_clean(*, groups: Sequence[AlertGroup], now: datetime) -> list[Ending]:
    """Let what may go leave groups of one org that the caller has locked.

    Left out are those where nothing is over.
    """
    over = groups_over(groups, now)
    inhabited = groups_inhabited([each for each in groups if each.pk not in over])
    ending = [each for each in groups if each.pk in over or each.pk not in inhabited]
    if not ending:
        return []
    told = Told.of(ending, now=now)
    return [group_leave(group=each, over=over.get(each.pk, ()), told=told) for each in ending]


def group_leave(
    *,
    group: AlertGroup,
    over: Sequence[TellableAlert],
    told: Told,
    muted: Collection[str] = frozenset(),
) -> Ending:
    """Let alerts that are over leave their group once no receiver believes in them.

    Locks the group's records, so that it comes before the ledger; ``ending_write`` comes after.
    """
    gone = free_to_go(over, believed=told.believed(group), muted=muted, options=group.route_options)
    if gone:
        group.alerts.remove(*(alert.pk for alert in gone))
    heard_of = told.heard_of(group) if gone else set()
    is_empty = not group.alerts.exists()
    if is_empty:
        threads_forget(group=group)
    never_told = [one for one in gone if one.fingerprint not in heard_of]
    return Ending(group=group, gone=gone, never_told=never_told, is_empty=is_empty)


def ending_write(ending: Ending, now: datetime) -> set[str]:
    """Write it into the ledger; a group that is empty goes.

    Returns the alerts whose chains of reasons changed, for ``alerts_sync``.
    """
    changed: set[str] = set()
    if ending.never_told:
        _never_told_write(ending, now)
    if ending.gone:
        changed = entries_close(
            org_id=ending.group.org_id,
            key_digest=ending.group.key_digest,
            fingerprints={alert.fingerprint for alert in ending.gone},
            ending=SuppressionEnding.OVER,
            now=now,
        )
    if ending.is_empty:
        ending.group.delete()
    return changed


def _never_told_write(ending: Ending, now: datetime) -> None:
    """Say of alerts that they were over too soon, unless something else is said of them."""
    noted = SuppressionEntry.objects.for_org(ending.group.org_id).filter(
        key_digest=ending.group.key_digest,
        fingerprint__in=[alert.fingerprint for alert in ending.never_told],
    )
    known = set(noted.values_list("fingerprint", flat=True))
    unknown = [one for one in ending.never_told if one.fingerprint not in known]
    never_told_write(group=ending.group, alerts=unknown, now=now)
