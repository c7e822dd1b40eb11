"""Flush due groups: leave out what is held back, decide per receiver, write deliveries.

Groups are flushed together, as many as one short transaction takes: the questions asked of the
database are the same for one as for a hundred.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, F

from apps.notifications.models import AlertGroup, ContactPoint
from apps.notifications.services.causes import Causes, Snapshot, SuppressionInput
from apps.notifications.services.endings import ending_write, group_leave
from apps.notifications.services.handled import woken_at
from apps.notifications.services.ledger import GroupState, alerts_sync, ledger_update
from apps.notifications.services.members import groups_members
from apps.notifications.services.payload import Members
from apps.notifications.services.suppression import (
    causes_of,
    point_cause,
    point_receivers,
    with_nobody,
)
from apps.notifications.services.told import Told, says
from apps.notifications.services.verdict import (
    Action,
    GroupView,
    group_view,
    muted_of,
    receiver_verdict,
)
from detectviz.events.bus import publish
from detectviz.events.types import AlertGroupFlushed

MOST_GROUPS = 100  # of one transaction, and
MOST_ALERTS = 2_000  # of their alerts, unless one group has more


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushReport:
    """Groups that were flushed, and deliveries that were written for them."""

    flushed: int = 0
    deliveries: int = 0

    def __add__(self, other: "FlushReport") -> "FlushReport":
        return FlushReport(
            flushed=self.flushed + other.flushed, deliveries=self.deliveries + other.deliveries
        )


def flushes_of(groups: Sequence[tuple[int, int]]) -> Iterator[tuple[int, list[int]]]:
    """Cut groups, as (org, key), into what is flushed together: an org and its groups."""
    sizes = _sizes([group for _, group in groups])
    by_org: dict[int, list[int]] = {}
    held: Counter[int] = Counter()
    for org_id, group in groups:
        some = by_org.setdefault(org_id, [])
        if some and (len(some) == MOST_GROUPS or held[org_id] + sizes[group] > MOST_ALERTS):
            yield org_id, by_org.pop(org_id)
            some = by_org.setdefault(org_id, [])
            held[org_id] = 0
        some.append(group)
        held[org_id] += sizes[group]
    yield from by_org.items()


def _sizes(groups: Sequence[int]) -> Counter[int]:
    through = AlertGroup.alerts.through.objects.filter(alertgroup__in=groups)
    counted = through.values_list("alertgroup_id").annotate(alerts=Count("pk")).order_by()
    return Counter(dict(counted))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flush:
    """One group at its flush."""

    group: AlertGroup
    members: Members
    causes: Causes
    point: ContactPoint | None
    view: GroupView


@transaction.atomic
def groups_flush(
    *, org_id: int, group_ids: Collection[int], now: datetime, snapshot: Snapshot
) -> FlushReport:
    """Flush the due ones among groups of an org: decide, write deliveries, set the next timers.

    Left out are those that somebody else flushes at this moment.
    """
    rows = AlertGroup.objects.for_org(org_id).select_for_update(skip_locked=True)
    groups = list(rows.filter(pk__in=group_ids, next_flush_at__lte=now).order_by("key_digest"))
    if not groups:
        return FlushReport()
    _timers_set(org_id, groups, now)
    flushes = list(_flushes(org_id, groups, now, snapshot))
    for flush in flushes:
        if flush.group.route_options.get("escalation"):
            publish(_flushed(flush, now))
    told = Told.of(groups, now=now)
    for flush in flushes:
        for receiver in point_receivers(flush.point):
            _decide(flush, receiver, told, now)
    deliveries = told.write()
    endings = [
        group_leave(
            group=flush.group,
            over=flush.members.resolved,
            told=told,
            muted=muted_of(flush.causes),
        )
        for flush in flushes
        if flush.members.resolved or not flush.members.firing
    ]
    changed = ledger_update(org_id=org_id, states=map(_state, flushes), now=now)
    for ending in endings:
        changed |= ending_write(ending, now)
    alerts_sync(org_id=org_id, fingerprints=changed)
    return FlushReport(flushed=len(groups), deliveries=deliveries)


def _timers_set(org_id: int, groups: Sequence[AlertGroup], now: datetime) -> None:
    for interval_ms in {group.group_interval_ms for group in groups}:
        some = [group for group in groups if group.group_interval_ms == interval_ms]
        next_flush_at = now + timedelta(milliseconds=interval_ms)
        AlertGroup.objects.for_org(org_id).filter(pk__in=[group.pk for group in some]).update(
            flush_number=F("flush_number") + 1, has_flushed=True, next_flush_at=next_flush_at
        )
        for group in some:
            group.flush_number += 1
            group.has_flushed, group.next_flush_at = True, next_flush_at


def _flushes(
    org_id: int, groups: Sequence[AlertGroup], now: datetime, snapshot: Snapshot
) -> Iterator[_Flush]:
    members = groups_members(org_id=org_id, groups=groups, now=now)
    named = ContactPoint.objects.for_org(org_id).filter(
        name__in={group.contact_point for group in groups}
    )
    points = {point.name: point for point in named}
    for group in groups:
        own = members.get(group.pk, Members((), ()))
        given = SuppressionInput(
            org_id=org_id,
            alerts=[*own.firing, *own.resolved],
            now=now,
            snapshot=snapshot,
            options=group.route_options,
        )
        causes = causes_of(given)
        view = group_view(
            firing=own.firing,
            resolved=own.resolved,
            causes=causes,
            woken_at=woken_at(snapshot=snapshot, alerts=own.firing),
        )
        yield _Flush(
            group=group,
            members=own,
            causes=causes,
            point=points.get(group.contact_point),
            view=view,
        )


def _flushed(flush: _Flush, now: datetime) -> AlertGroupFlushed:
    group = flush.group
    fingerprints = [alert.fingerprint for alert in flush.members.firing]
    return AlertGroupFlushed(
        org_id=group.org_id,
        escalation=group.route_options["escalation"],
        key_digest=group.key_digest,
        group_key=group.group_key,
        group_labels=group.group_labels,
        firing=tuple(fingerprints),
        waiting=tuple(one for one in fingerprints if one not in flush.causes),
        at=now,
    )


def _state(flush: _Flush) -> GroupState:
    """Return what the group's contact point is not told of."""
    nobody = point_cause(flush.group.contact_point, flush.point)
    firing = flush.members.firing
    causes = with_nobody(flush.causes, firing, nobody)
    return GroupState(group=flush.group, alerts=firing, causes=causes)


def _decide(flush: _Flush, receiver: Mapping[str, Any], told: Told, now: datetime) -> None:
    """Decide for one receiver."""
    group, name = flush.group, receiver["name"]
    waiting = told.waiting(group, name)
    if waiting is not None and waiting.lease_until and waiting.lease_until > now:
        return  # it is on the wire; the next flush decides on what came of it
    verdict = receiver_verdict(
        view=flush.view,
        last=told.last_sent(group, name),
        sends_resolved=receiver["send_resolved"],
        repeat_interval=timedelta(milliseconds=group.repeat_interval_ms),
        now=now,
    )
    members = Members(verdict.firing, verdict.resolved)
    if verdict.action is Action.REMEMBER:
        told.remember(group, name, verdict.resolved)
    elif verdict.action is Action.NOTHING:
        if waiting is not None:
            told.supersede(waiting)
    elif waiting is not None:
        if not says(waiting, members):  # else it is still being retried, under the id known already
            told.tell(group, receiver, members, verdict.reason)
    elif not any(says(each, members) for each in told.instead(group, name)):
        # Else its own receiver failed for good, and who stands in is about to hear just this.
        told.tell(group, receiver, members, verdict.reason)
