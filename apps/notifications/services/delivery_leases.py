"""Which deliveries are due, and who is at them: leases that end by the clock."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, Q, QuerySet

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import Delivery
from detectviz.runtime.insisting import insist
from detectviz.runtime.leases import owners_gone, process_owner

LEASE_S = 45.0
READ_WITHIN_S = 10.0
BATCH = 200
_ACROSS = "one dispatcher serves every org"
# They may be large, and are read when they are sent.
_LATER = ("payload",)


class Turn(NamedTuple):
    """A delivery and the attempt that is due; the next attempt is another turn."""

    delivery_id: int
    due_at: datetime
    receiver: tuple[int, str, str]  # org, contact point, name


def deliveries_due(*, now: datetime) -> list[Turn]:
    """Return the attempts that are due, the oldest first; of many, as many as workers can begin."""
    due = _free(now).order_by("next_attempt_at", "pk")
    rows = due.values_list("pk", "next_attempt_at", "org_id", "contact_point", "receiver")
    return [
        Turn(pk, due_at, (org_id, contact_point, receiver))
        for pk, due_at, org_id, contact_point, receiver in rows[:BATCH]
    ]


def deliveries_lease(*, delivery_ids: Sequence[int], now: datetime) -> list[Delivery]:
    """Take deliveries of one receiver for one attempt each, in the order given.

    Of two that want the same one wins; what is not due is left out. Payloads are deferred.
    """
    owner, until = process_owner(), now + timedelta(seconds=LEASE_S)
    attempts = _take(delivery_ids, owner, until, now)
    if not attempts:
        return []
    taken = _rows().filter(pk__in=attempts).defer(*_LATER).order_by()
    rows = insist(lambda: {row.pk: row for row in taken.all()}, within_s=READ_WITHIN_S)
    for pk, row in rows.items():
        # As we took it: whoever took it over meanwhile counts on from there.
        row.lease_owner, row.lease_until, row.attempts = owner, until, attempts[pk]
    return [rows[pk] for pk in delivery_ids if pk in rows]


def payloads_read(deliveries: Sequence[Delivery]) -> None:
    """Read the payloads of deliveries that were leased without them."""
    rows = _rows().filter(pk__in=[each.pk for each in deliveries])
    found = dict(rows.order_by().values_list("pk", "payload"))
    for delivery in deliveries:
        if delivery.pk in found:
            delivery.payload = found[delivery.pk]


def deliveries_give_back(deliveries: Iterable[Delivery], *, begun: bool) -> None:
    """End our leases of what is still pending; what was not begun counts as no attempt."""
    # One statement each: together they would wait for rows that a flush holds, holding others.
    for delivery in deliveries:
        ours = _held().filter(
            pk=delivery.pk, lease_owner=delivery.lease_owner, attempts=delivery.attempts
        )
        left = delivery.attempts if begun else delivery.attempts - 1
        ours.update(lease_owner="", lease_until=None, attempts=left)


def deliveries_release() -> int:
    """End the leases of attempts that died with a sole dispatcher; return how many there were."""
    return _held().update(lease_owner="", lease_until=None)


def deliveries_release_gone() -> int:
    """End the leases of attempts that died with processes of this machine; return how many."""
    gone = owners_gone(_held().values_list("lease_owner", flat=True).order_by().distinct())
    held = _held().filter(lease_owner__in=gone)
    return held.update(lease_owner="", lease_until=None) if gone else 0


def _take(
    delivery_ids: Sequence[int], owner: str, until: datetime, now: datetime
) -> dict[int, int]:
    """Take what is free; return the number of each one's attempt."""
    with transaction.atomic():
        free = _free(now).filter(pk__in=delivery_ids).order_by("pk")
        # Several wait for nobody: what a flush holds now is looked at again by itself.
        locked = free.select_for_update(skip_locked=len(delivery_ids) > 1)
        found = dict(locked.values_list("pk", "attempts"))
        if found:
            taken = _rows().filter(pk__in=found)
            taken.update(lease_owner=owner, lease_until=until, attempts=F("attempts") + 1)
    return {pk: attempts + 1 for pk, attempts in found.items()}


def _free(now: datetime) -> "QuerySet[Delivery]":
    return _rows().filter(
        Q(lease_until__isnull=True) | Q(lease_until__lt=now),
        status=DeliveryStatus.PENDING,
        next_attempt_at__lte=now,
    )


def _held() -> "QuerySet[Delivery]":
    return _rows().filter(status=DeliveryStatus.PENDING, lease_until__isnull=False)


def _rows() -> "QuerySet[Delivery]":
    rows: QuerySet[Delivery] = Delivery.objects.across_orgs(reason=_ACROSS)
    return rows
