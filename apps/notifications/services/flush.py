"""One flush of one group: leave out what is held back, decide per receiver, write deliveries."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from apps.notifications.enums import DeliveryStatus, SuppressionEnding
from apps.notifications.models import (
    AlertGroup,
    ContactPoint,
    Delivery,
    NotificationRecord,
    RoutedAlert,
    SuppressionEntry,
)
from apps.notifications.services.causes import Causes, Snapshots, SuppressionInput
from apps.notifications.services.decision import LastSent, Reason
from apps.notifications.services.fallback import told_instead
from apps.notifications.services.handled import woken_at
from apps.notifications.services.ledger import (
    GroupState,
    alerts_sync,
    entries_close,
    ledger_update,
    never_told_write,
)
from apps.notifications.services.members import group_members, group_over
from apps.notifications.services.payload import Members, notification_payload
from apps.notifications.services.suppression import (
    causes_of,
    point_cause,
    point_receivers,
    with_nobody,
)
from apps.notifications.services.threads import threads_forget
from apps.notifications.services.verdict import (
    Action,
    GroupView,
    free_to_go,
    group_view,
    muted_of,
    receiver_verdict,
)
from detectviz.events.bus import publish
from detectviz.events.types import AlertGroupFlushed


@transaction.atomic
def group_flush(*, group_id: int, now: datetime, snapshots: Snapshots | None = None) -> int | None:
    """Flush one due group: decide per receiver, write deliveries, set the next timer.

    Returns the number of deliveries, or None when somebody else flushed it meanwhile.
    """
    group = (
        AlertGroup.objects.across_orgs(reason="the caller holds a due group's id")
        .select_for_update(skip_locked=True)
        .filter(pk=group_id, next_flush_at__lte=now)
        .first()
    )
    if group is None:
        return None
    firing, resolved = group_members(group, now)
    group.flush_number += 1
    group.has_flushed = True
    group.next_flush_at = now + timedelta(milliseconds=group.group_interval_ms)
    group.save(update_fields=["flush_number", "has_flushed", "next_flush_at"])
    snapshot = (snapshots or Snapshots(now=now)).of(group.org_id)
    causes = causes_of(
        SuppressionInput(
            org_id=group.org_id,
            alerts=[*firing, *resolved],
            now=now,
            snapshot=snapshot,
            options=group.route_options,
        )
    )
    point = ContactPoint.objects.for_org(group.org_id).filter(name=group.contact_point).first()
    view = group_view(
        firing=firing,
        resolved=resolved,
        causes=causes,
        woken_at=woken_at(snapshot=snapshot, alerts=firing),
    )
    if group.route_options.get("escalation"):
        publish(_flushed(group, firing, causes, now))
    created = sum(
        _flush_receiver(group, receiver, view, now) for receiver in point_receivers(point)
    )
    changed = _note(group, firing, causes, point, now)
    changed |= group_clean(group=group, now=now, muted=muted_of(causes))
    alerts_sync(org_id=group.org_id, fingerprints=changed)
    return created


def _flushed(
    group: AlertGroup, firing: Sequence[RoutedAlert], causes: Causes, now: datetime
) -> AlertGroupFlushed:
    fingerprints = [alert.fingerprint for alert in firing]
    return AlertGroupFlushed(
        org_id=group.org_id,
        escalation=group.route_options["escalation"],
        key_digest=group.key_digest,
        group_key=group.group_key,
        group_labels=group.group_labels,
        firing=tuple(fingerprints),
        waiting=tuple(one for one in fingerprints if one not in causes),
        at=now,
    )


def _note(
    group: AlertGroup,
    firing: Sequence[RoutedAlert],
    causes: Causes,
    point: ContactPoint | None,
    now: datetime,
) -> set[str]:
    """Write down what this contact point is not told of; return whose chains changed."""
    causes = with_nobody(causes, firing, point_cause(group.contact_point, point))
    state = GroupState(group=group, alerts=firing, causes=causes)
    return ledger_update(org_id=group.org_id, states=[state], now=now)


def _flush_receiver(
    group: AlertGroup,
    receiver: Mapping[str, Any],
    view: GroupView,
    now: datetime,
) -> int:
    """Decide for one receiver; return 1 when a delivery was written."""
    pending = _pending(group, receiver["name"])
    if pending is not None and pending.lease_until and pending.lease_until > now:
        return 0  # it is on the wire; the next flush decides on what came of it
    verdict = receiver_verdict(
        view=view,
        last=_last_sent(group, receiver["name"]),
        sends_resolved=receiver["send_resolved"],
        repeat_interval=timedelta(milliseconds=group.repeat_interval_ms),
        now=now,
    )
    if verdict.action is Action.REMEMBER:
        record_write(group=group, receiver=receiver["name"], resolved=verdict.resolved, now=now)
        return 0
    members = Members(verdict.firing, verdict.resolved)
    is_told = verdict.action is Action.TELL
    if pending is not None:
        if is_told and _says(pending, members):
            return 0  # it is still being retried, under the id the receiver may know already
        _supersede(pending, now)
    elif is_told and any(_says(one, members) for one in told_instead(group, receiver["name"])):
        return 0  # its own receiver failed for good, and who stands in is about to hear just this
    if is_told:
        _create_delivery(group, receiver, members, verdict.reason, now)
    return int(is_told)


def _says(delivery: Delivery, members: Members) -> bool:
    """Say whether a delivery tells just this."""
    firing = {alert.fingerprint for alert in members.firing}
    resolved = {alert.fingerprint for alert in members.resolved}
    return set(delivery.firing) == firing and set(delivery.resolved) == resolved


def _pending(group: AlertGroup, receiver: str) -> Delivery | None:
    return (
        Delivery.objects.for_org(group.org_id)
        .filter(
            key_digest=group.key_digest,
            contact_point=group.contact_point,
            receiver=receiver,
            status=DeliveryStatus.PENDING,
        )
        .select_for_update()
        .first()
    )


def _supersede(delivery: Delivery, now: datetime) -> None:
    Delivery.objects.for_org(delivery.org_id).filter(pk=delivery.pk).update(
        status=DeliveryStatus.SUPERSEDED, finished_at=now
    )


def _last_sent(group: AlertGroup, receiver: str) -> LastSent | None:
    record = (
        NotificationRecord.objects.for_org(group.org_id)
        .filter(key_digest=group.key_digest, contact_point=group.contact_point, receiver=receiver)
        .first()
    )
    if record is None:
        return None
    return LastSent(
        firing=set(record.firing), resolved=set(record.resolved), sent_at=record.sent_at
    )


def _create_delivery(
    group: AlertGroup,
    receiver: Mapping[str, Any],
    members: Members,
    reason: Reason,
    now: datetime,
) -> None:
    delivery = Delivery(
        org_id=group.org_id,
        group_key=group.group_key,
        key_digest=group.key_digest,
        contact_point=group.contact_point,
        receiver=receiver["name"],
        notifier=receiver["notifier"],
        flush_number=group.flush_number,
        firing=[alert.fingerprint for alert in members.firing],
        resolved=[alert.fingerprint for alert in members.resolved],
        reason=reason.name.lower(),
        next_attempt_at=now,
        created_at=now,
    )
    delivery.payload = notification_payload(
        group=group, members=members, delivery_uid=delivery.uid, org=str(group.org)
    )
    delivery.save(force_insert=True)


def record_write(
    *,
    group: AlertGroup,
    receiver: str,
    resolved: Sequence[RoutedAlert],
    now: datetime,
) -> None:
    """Remember that a receiver knows everything to be over."""
    NotificationRecord.objects.for_org(group.org_id).update_or_create(
        org_id=group.org_id,
        key_digest=group.key_digest,
        contact_point=group.contact_point,
        receiver=receiver,
        defaults={
            "firing": [],
            "resolved": [alert.fingerprint for alert in resolved],
            "sent_at": now,
        },
    )


def group_clean(
    *, group: AlertGroup, now: datetime, muted: Collection[str] = frozenset()
) -> set[str]:
    """Let resolved alerts go once no receiver believes in them; an empty group goes with them.

    Returns the alerts whose chains of reasons changed, for ``alerts_sync``.
    """
    believed: set[str] = set()
    told: set[str] = set()
    records = NotificationRecord.objects.for_org(group.org_id).filter(
        key_digest=group.key_digest, contact_point=group.contact_point
    )
    for firing, resolved in records.values_list("firing", "resolved"):
        believed |= set(firing)
        told |= {*firing, *resolved}
    pending = Delivery.objects.for_org(group.org_id).filter(
        key_digest=group.key_digest, status=DeliveryStatus.PENDING
    )
    for firing, resolved in pending.values_list("firing", "resolved"):  # payloads are large
        believed |= {*firing, *resolved}
    over = group_over(group, now)
    gone = free_to_go(over, believed=believed, muted=muted, options=group.route_options)
    if gone:
        group.alerts.remove(*gone)
    is_empty = not group.alerts.exists()
    if is_empty:
        threads_forget(group=group)
    never = [one for one in gone if one.fingerprint not in told]
    changed = _let_go(group, gone, never=never, now=now) if gone else set()
    if is_empty:
        group.delete()
    return changed


def _let_go(
    group: AlertGroup, gone: Sequence[RoutedAlert], *, never: Sequence[RoutedAlert], now: datetime
) -> set[str]:
    noted = SuppressionEntry.objects.for_org(group.org_id).filter(
        key_digest=group.key_digest, fingerprint__in=[alert.fingerprint for alert in never]
    )
    known = set(noted.values_list("fingerprint", flat=True)) if never else set()
    never_told_write(
        group=group, alerts=[one for one in never if one.fingerprint not in known], now=now
    )
    return entries_close(
        org_id=group.org_id,
        key_digest=group.key_digest,
        fingerprints={alert.fingerprint for alert in gone},
        ending=SuppressionEnding.OVER,
        now=now,
    )
