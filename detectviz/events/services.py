"""Write the outbox, hand it to the bus, do a subscriber's work once, deal with dead letters."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import orjson
from django.conf import settings
from django.db import models, transaction

from detectviz.clock import utc_now
from detectviz.contracts.errors import PluginError
from detectviz.contracts.eventbus import BusMessage, EventBusConnection
from detectviz.events.bus import publish
from detectviz.events.envelopes import cloud_event
from detectviz.events.integration import type_of
from detectviz.events.models import BUS, DeliveryStatus, EventDelivery, OutboxEvent
from detectviz.events.subscribers import IntegrationEvent, Subscriber, subscribers
from detectviz.events.telemetry import consumed_total, published_total, retries_total
from detectviz.events.types import SecurityEventOccurred
from detectviz.resources.errors import ConflictError
from detectviz.tenancy.context import org_scope

MOST_ATTEMPTS = 8
FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 600.0
CONFIRM_WITHIN_S = 30.0  # published and not confirmed by then: published again
KEPT_DAYS, DEAD_KEPT_DAYS = 3, 30
BATCH = 500  # rows of one statement
_ACROSS = "the relay carries the events of all orgs"

logger = logging.getLogger(__name__)


@transaction.atomic
def outbox_add(*, events: Iterable[object]) -> int:
    """Write events to the outbox in the caller's transaction; return how many go outside."""
    now = utc_now()
    rows = [row for event in events if (row := _outbox_row(event, now)) is not None]
    if not rows:
        return 0
    added = OutboxEvent.objects.across_orgs(reason="rows carry their org")
    added.bulk_create(rows, batch_size=BATCH)
    told = [
        EventDelivery(
            org_id=row.org_id, event=row, target=target, next_attempt_at=now, changed_at=now
        )
        for row in rows
        for target in (
            BUS,
            *(each.name for each in subscribers.values() if each.wants(row.type, row.org_id)),
        )
    ]
    deliveries = EventDelivery.objects.across_orgs(reason="rows carry the org of their event")
    deliveries.bulk_create(told, batch_size=BATCH)
    return len(rows)


def _outbox_row(event: object, now: datetime) -> OutboxEvent | None:
    event_type, org_id = type_of(event), getattr(event, "org_id", None)
    draft = event_type.draft(event) if event_type is not None else None
    if event_type is None or draft is None or org_id is None:
        return None
    return OutboxEvent(
        org_id=org_id,
        type=event_type.name,
        version=event_type.version,
        subject=draft.subject[:300],
        key=draft.key[:200],
        data=draft.data,
        at=draft.at,
        created_at=now,
    )


def outbox_publish(*, bus: EventBusConnection, now: datetime, limit: int = 200) -> int:
    """Hand what is due to the bus, oldest first; return how many events.

    Due is what was never published, and what a subscriber has not confirmed in time: a bus that
    lost everything is told everything again. Raise PluginError when the bus does not answer.
    """
    events = _due(now, limit)
    if not events:
        return 0
    answers = bus.publish([_message(event) for event in events])
    for event, refusal in zip(events, answers, strict=True):
        with transaction.atomic():
            _published(event, refusal, now)
    return len(events)


def _due(now: datetime, limit: int) -> list[OutboxEvent]:
    due = EventDelivery.objects.across_orgs(reason=_ACROSS).filter(
        status=DeliveryStatus.PENDING, next_attempt_at__lte=now
    )
    ids = sorted(set(due.order_by("event_id").values_list("event_id", flat=True)[: limit * 4]))
    rows = OutboxEvent.objects.across_orgs(reason=_ACROSS).filter(pk__in=ids[:limit])
    return list(rows.select_related("org").order_by("pk"))


def _message(event: OutboxEvent) -> BusMessage:
    envelope = cloud_event(event)
    return BusMessage(
        topic=topic_of(event.type),
        key=f"{envelope['detectvizorg']}/{event.key}",
        payload=orjson.dumps(envelope),
        headers={
            "content-type": "application/cloudevents+json",
            "ce_id": event.uid,
            "ce_type": str(envelope["type"]),
            "ce_org": str(envelope["detectvizorg"]),
        },
    )


def topic_of(type_name: str) -> str:
    """Return the topic of a type: overridden, or its name behind the prefix."""
    overridden: str | None = settings.EVENTBUS_TOPICS.get(type_name)
    return overridden or f"{settings.EVENTBUS_TOPIC_PREFIX}{type_name}"


def _published(event: OutboxEvent, refusal: PluginError | None, now: datetime) -> None:
    rows = EventDelivery.objects.across_orgs(reason=_ACROSS).filter(
        event=event, status=DeliveryStatus.PENDING
    )
    if refusal is None:
        published_total.labels(event.type).inc()
        rows.filter(target=BUS).update(status=DeliveryStatus.DONE, changed_at=now, last_error="")
        due = rows.exclude(target=BUS).filter(next_attempt_at__lte=now)
        due.update(next_attempt_at=now + timedelta(seconds=CONFIRM_WITHIN_S))
        return
    for row in rows.filter(next_attempt_at__lte=now):
        delivery_fail(row=row, reason=str(refusal), is_final=refusal.permanent, now=now)


def delivery_fail(
    *, row: EventDelivery, reason: str, is_final: bool = False, now: datetime
) -> None:
    """Note a failed attempt: tried again later, or dead after ``MOST_ATTEMPTS``."""
    row.attempts += 1
    row.last_error, row.changed_at = reason[:2000].replace("\x00", "\ufffd"), now
    if is_final or row.attempts >= MOST_ATTEMPTS:
        row.status = DeliveryStatus.DEAD
    else:
        retries_total.labels(row.target).inc()
        wait_s = min(FIRST_WAIT_S * 2 ** (row.attempts - 1), LONGEST_WAIT_S)
        row.next_attempt_at = now + timedelta(seconds=wait_s)
    row.save(update_fields=["attempts", "last_error", "changed_at", "status", "next_attempt_at"])


def event_consume(*, uid: str, now: datetime) -> int:
    """Do the work of every subscriber that waits for an event; return how many did theirs.

    ``uid`` is all that is taken from the bus: the event and its org are read from SQL, so what
    somebody else writes into the bus can neither be made up nor change hands.
    """
    pending = EventDelivery.objects.across_orgs(reason=_ACROSS).filter(
        event__uid=uid, status=DeliveryStatus.PENDING
    )
    names = pending.exclude(target=BUS).values_list("pk", "target")
    return sum(_work(pk, subscribers[name], now) for pk, name in list(names) if name in subscribers)


def _work(delivery_id: int, subscriber: Subscriber, now: datetime) -> bool:
    try:
        with transaction.atomic():
            row = _locked(delivery_id)
            if row is None:
                return False
            row.status, row.changed_at = DeliveryStatus.DONE, now
            row.save(update_fields=["status", "changed_at"])
            with org_scope(row.org_id):
                subscriber.work(_handed(row.event))
    except Exception as error:
        logger.exception("subscriber %s failed", subscriber.name)
        consumed_total.labels(subscriber.name, "failed").inc()
        with transaction.atomic():
            failed = _locked(delivery_id)
            if failed is not None:
                reason = f"{type(error).__name__}: {error}"
                delivery_fail(row=failed, reason=reason, now=now)
        return False
    consumed_total.labels(subscriber.name, "done").inc()
    return True


def _locked(delivery_id: int) -> EventDelivery | None:
    rows = EventDelivery.objects.across_orgs(reason=_ACROSS).select_for_update(of=("self",))
    found: EventDelivery | None = (
        rows.select_related("event").filter(pk=delivery_id, status=DeliveryStatus.PENDING).first()
    )
    return found


def _handed(event: OutboxEvent) -> IntegrationEvent:
    return IntegrationEvent(
        uid=event.uid,
        type=event.type,
        version=event.version,
        subject=event.subject,
        org_id=event.org_id,
        data=event.data,
        at=event.at,
    )


@transaction.atomic
def dead_letter_replay(
    *, org: models.Model, row: EventDelivery, now: datetime, actor_id: int | None = None
) -> None:
    """Try a dead letter again from the beginning; raise ConflictError unless it is dead."""
    _settle(org, row, DeliveryStatus.PENDING, now)
    _told("replay", org, row, actor_id)


@transaction.atomic
def dead_letter_discard(
    *, org: models.Model, row: EventDelivery, now: datetime, actor_id: int | None = None
) -> None:
    """Give a dead letter up; raise ConflictError unless it is dead."""
    _settle(org, row, DeliveryStatus.DISCARDED, now)
    _told("discard", org, row, actor_id)


def _settle(org: models.Model, row: EventDelivery, status: DeliveryStatus, now: datetime) -> None:
    dead = EventDelivery.objects.for_org(org).filter(pk=row.pk, status=DeliveryStatus.DEAD)
    if not dead.update(status=status, attempts=0, next_attempt_at=now, changed_at=now):
        raise ConflictError("It is no dead letter any more; look at the list again.")


def _told(verb: str, org: models.Model, row: EventDelivery, actor_id: int | None) -> None:
    publish(
        SecurityEventOccurred(
            action=f"deadletter.{verb}",
            org_id=org.pk,
            actor_id=actor_id,
            kind="DeadLetter",
            name=row.uid,
            uid=row.uid,
            details={"target": row.target, "type": row.event.type, "subject": row.event.subject},
        )
    )


def outbox_trim(*, now: datetime) -> int:
    """Forget what everybody was told, and dead letters nobody looked at for long."""
    events = OutboxEvent.objects.across_orgs(reason="retention is about all orgs")
    waiting = EventDelivery.objects.across_orgs(reason=_ACROSS).filter(
        status__in=_unfinished(), event=models.OuterRef("pk")
    )
    old = events.filter(created_at__lt=now - timedelta(days=KEPT_DAYS))
    done = old.exclude(models.Exists(waiting))
    forgotten = events.filter(created_at__lt=now - timedelta(days=DEAD_KEPT_DAYS))
    return _delete(done) + _delete(forgotten)


def _delete(rows: "models.QuerySet[OutboxEvent]") -> int:
    count, _ = rows.delete()
    return count


def _unfinished() -> Iterable[DeliveryStatus]:
    return (DeliveryStatus.PENDING, DeliveryStatus.DEAD)


def topics_consumed() -> Sequence[str]:
    """Return the topics that some subscriber of this product wants."""
    types = {name for each in subscribers.values() for name in each.wanted_types()}
    return sorted(topic_of(name) for name in types)
