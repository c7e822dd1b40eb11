"""Ask what an org's events are, and which of them are dead."""

from django.db import models

from detectviz.events.models import DeliveryStatus, EventDelivery, OutboxEvent


def event_list(org: models.Model) -> "models.QuerySet[OutboxEvent]":
    """Return an org's events that are kept, the latest first."""
    rows: models.QuerySet[OutboxEvent] = OutboxEvent.objects.for_org(org)
    return rows.prefetch_related("deliveries").order_by("-pk")


def dead_letter_list(org: models.Model) -> "models.QuerySet[EventDelivery]":
    """Return an org's dead letters, the latest first."""
    rows: models.QuerySet[EventDelivery] = EventDelivery.objects.for_org(org)
    return (
        rows.filter(status=DeliveryStatus.DEAD)
        .select_related("event", "event__org")
        .order_by("-pk")
    )


def dead_letter_get(org: models.Model, uid: str) -> EventDelivery | None:
    """Return one dead letter of an org."""
    return dead_letter_list(org).filter(uid=uid).first()
