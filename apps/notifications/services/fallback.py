"""Who is told instead, where a contact point can't be."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from apps.notifications.models import ContactPoint, Delivery, NotificationRecord

REASON = "fallback"


def fallback_tell(*, delivery: Delivery, now: datetime) -> int:
    """Have the fallback contact point told what ``delivery`` could not; return how many are.

    Once per delivery, and never on behalf of a fallback itself.
    """
    if delivery.fallback_of or delivery.fallback_at is not None:
        return 0
    instead = list(_instead(delivery))
    return sum(_told(delivery, receiver, point, now) for point, receiver in instead)


def fallback_resolve(*, deliveries: Sequence[Delivery], now: datetime) -> int:
    """Tell the fallback that all is over, where it was told of the alerts; return how many are.

    ``deliveries`` are of one receiver and say that nothing fires any more.
    """
    instead = list(_instead(deliveries[0])) if deliveries else []
    if not instead:
        return 0
    believing = NotificationRecord.objects.for_org(deliveries[0].org_id).filter(
        key_digest__in=[each.key_digest for each in deliveries]
    )
    known = {
        (each.key_digest, each.contact_point, each.receiver) for each in believing if each.firing
    }
    return sum(
        _told(delivery, receiver, point, now)
        for delivery in deliveries
        for point, receiver in instead
        if (delivery.key_digest, point.name, receiver["name"]) in known
    )


def _instead(delivery: Delivery) -> Iterator[tuple[ContactPoint, Mapping[str, Any]]]:
    """Yield the receivers that stand in for a delivery."""
    points = ContactPoint.objects.for_org(delivery.org_id)
    own = points.filter(name=delivery.contact_point).first()
    if own is None or not own.fallback or own.fallback == own.name:
        return
    point: ContactPoint | None = points.filter(name=own.fallback).first()
    if point is None:
        return
    for receiver in point.receivers:
        if receiver["enabled"] and (delivery.firing or receiver["send_resolved"]):
            yield point, receiver


def _told(
    delivery: Delivery, receiver: Mapping[str, Any], point: ContactPoint, now: datetime
) -> int:
    rows = Delivery.objects.for_org(delivery.org_id)
    instead = Delivery(
        org_id=delivery.org_id,
        group_key=delivery.group_key,
        key_digest=delivery.key_digest,
        contact_point=point.name,
        receiver=receiver["name"],
        notifier=receiver["notifier"],
        flush_number=delivery.flush_number,
        firing=delivery.firing,
        resolved=delivery.resolved,
        reason=REASON,
        next_attempt_at=now,
        created_at=now,
        fallback_of=delivery.uid,
    )
    same = {
        name: getattr(instead, name)
        for name in ("key_digest", "contact_point", "receiver", "flush_number")
    }
    if rows.filter(**same).exists():
        return 0
    instead.payload = {
        **delivery.payload,
        "receiver": point.name,
        "delivery_id": instead.uid,
    }
    instead.save(force_insert=True)
    rows.filter(pk=delivery.pk).update(fallback_at=now)
    return 1
