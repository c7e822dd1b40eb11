"""What receivers answered yes to, written down: several of one receiver in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import AlertGroup, Delivery, NotificationRecord
from apps.notifications.services.endings import Ending, ending_write, groups_clean
from apps.notifications.services.fallback import fallback_resolve
from apps.notifications.services.ledger import alerts_sync, deliveries_told
from apps.notifications.services.outcomes import MAX_ANSWER, Attempt, attempts_logged, sent_total
from apps.notifications.services.threads import thread_stored
from apps.notifications.services.told import records_write
from detectviz.contracts.notifier import Receipt
from detectviz.tenancy.writing import columns_update

MAX_EXTERNAL_ID = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A delivery, the attempt that told its receiver, and when the answer came."""

    delivery: Delivery
    attempt: Attempt
    receipt: Receipt
    at: datetime


@transaction.atomic
def deliveries_complete(delivered: Sequence[Delivered]) -> None:
    """Write down the yes to deliveries of one receiver, and with it what it now believes.

    Left out are those whose lease ran out and which somebody else took over: the duplicate
    carries the same uid.
    """
    groups = _groups_lock([each.delivery for each in delivered])
    ours = _still_ours(delivered)
    if not ours:
        return
    _mark(ours)
    _remember(ours)
    deliveries, now = [each.delivery for each in ours], ours[-1].at
    over = [each for each in deliveries if not each.fallback_of and not each.firing]
    fallback_resolve(deliveries=over, now=now)
    endings = _endings(deliveries, groups, now)
    deliveries_told(deliveries=deliveries, now=now)
    if endings:
        changed = {one for ending in endings for one in ending_write(ending, now)}
        alerts_sync(org_id=deliveries[0].org_id, fingerprints=changed)
    sent_total.labels(deliveries[0].notifier, "delivered").inc(len(deliveries))


def _groups_lock(deliveries: Sequence[Delivery]) -> Mapping[str, AlertGroup]:
    """Lock the groups before their deliveries, as a flush does; by key digest, where still there.

    The other way round the two would wait for each other, and a flush in between would decide on
    what the receiver believed before.
    """
    digests = {each.key_digest for each in deliveries}
    groups = AlertGroup.objects.for_org(deliveries[0].org_id).filter(key_digest__in=digests)
    return {each.key_digest: each for each in groups.select_for_update().order_by("key_digest")}


def _still_ours(delivered: Sequence[Delivered]) -> list[Delivered]:
    """Lock the deliveries; return those that our attempts still own."""
    first = delivered[0].delivery
    owned = Delivery.objects.for_org(first.org_id).filter(
        pk__in=[each.delivery.pk for each in delivered],
        status=DeliveryStatus.PENDING,
        lease_owner=first.lease_owner,
    )
    attempts = dict(owned.select_for_update().order_by("pk").values_list("pk", "attempts"))
    return [each for each in delivered if attempts.get(each.delivery.pk) == each.delivery.attempts]


def _mark(delivered: Sequence[Delivered]) -> None:
    receipts = [each.receipt for each in delivered]
    columns: dict[str, Sequence[Any]] = {
        "status": [DeliveryStatus.DELIVERED.value] * len(delivered),
        "finished_at": [each.at for each in delivered],
        "error": [""] * len(delivered),
        "status_code": [receipt.status_code for receipt in receipts],
        "answer": [receipt.answer[:MAX_ANSWER] for receipt in receipts],
        "request_digest": [receipt.request_digest for receipt in receipts],
        "external_id": [receipt.external_id[:MAX_EXTERNAL_ID] for receipt in receipts],
        "duration_s": [each.attempt.duration_s for each in delivered],
        "history": [_history(each) for each in delivered],
    }
    columns_update(Delivery, [each.delivery.pk for each in delivered], columns)


def _history(each: Delivered) -> list[dict[str, Any]]:
    said = {
        "status": "delivered",
        "status_code": each.receipt.status_code,
        "answer": each.receipt.answer,
    }
    return attempts_logged(each.delivery, each.attempt, said, each.at)


def _remember(delivered: Sequence[Delivered]) -> None:
    """Write what receivers know now, with what their notifiers want to remember."""
    told: list[NotificationRecord] = []
    originals: list[NotificationRecord] = []
    for each in delivered:
        delivery = each.delivery
        if delivery.replayed_at is None or _is_latest(delivery):
            thread = thread_stored(notifier=delivery.notifier, thread=each.receipt.thread)
            told.append(_record(delivery, each.at, thread))
        if delivery.fallback_of and (original := _original(delivery)):
            originals.append(_record(original, each.at, {}))
    records_write(told, update=("thread",))
    records_write(originals)


def _original(delivery: Delivery) -> Delivery | None:
    """Return the last word that failed for good and whose fallback was told instead."""
    originals = Delivery.objects.for_org(delivery.org_id)
    found: Delivery | None = originals.filter(
        uid=delivery.fallback_of, status=DeliveryStatus.FAILED
    ).first()
    return found if found is not None and _is_latest(found) else None


def _record(delivery: Delivery, at: datetime, thread: dict[str, Any]) -> NotificationRecord:
    return NotificationRecord(
        org_id=delivery.org_id,
        key_digest=delivery.key_digest,
        contact_point=delivery.contact_point,
        receiver=delivery.receiver,
        firing=delivery.firing,
        resolved=delivery.resolved,
        sent_at=at,
        thread=thread,
    )


def _is_latest(delivery: Delivery) -> bool:
    """Say whether this is the last word for its receiver about a group that is still there."""
    later = Delivery.objects.for_org(delivery.org_id).filter(
        key_digest=delivery.key_digest,
        contact_point=delivery.contact_point,
        receiver=delivery.receiver,
        flush_number__gt=delivery.flush_number,
    )
    groups = AlertGroup.objects.for_org(delivery.org_id).filter(key_digest=delivery.key_digest)
    return groups.exists() and not later.exists()


def _endings(
    deliveries: Sequence[Delivery], groups: Mapping[str, AlertGroup], now: datetime
) -> list[Ending]:
    """Let what is over leave its group; nothing is over by a word of what fires."""
    may_end = [
        groups[each.key_digest]
        for each in deliveries
        if each.key_digest in groups and (each.resolved or not each.firing)
    ]
    return groups_clean(groups=may_end, now=now)
