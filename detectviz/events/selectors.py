"""Ask what an org's events are, and which of them are dead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Count, Min, Q

from detectviz.events.models import DeliveryStatus, EventDelivery, OutboxEvent
from detectviz.runtime.models import Lease
from detectviz.tenancy.context import all_orgs_scope

RELAY_LEASE = "events.relay"
_PLATFORM = "the platform's own view is about all orgs"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """How one target (the bus, or a subscriber) is served; ``oldest_at`` of what waits."""

    target: str
    waiting: int
    retrying: int
    dead: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgDead:
    """How many dead letters one org (its name) has."""

    org: str
    dead: int


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


def target_states(org: models.Model) -> list[TargetState]:
    """Return how an org's events stand, by target."""
    return _targets(EventDelivery.objects.for_org(org))


def platform_target_states() -> list[TargetState]:
    """Return how the events of all orgs stand, by target."""
    with all_orgs_scope(reason=_PLATFORM):
        return _targets(EventDelivery.objects.across_orgs(reason=_PLATFORM))


def _targets(rows: "models.QuerySet[EventDelivery]") -> list[TargetState]:
    pending, dead = Q(status=DeliveryStatus.PENDING), Q(status=DeliveryStatus.DEAD)
    counted = (
        rows.filter(pending | dead)
        .order_by("target")
        .values("target")
        .annotate(
            waiting=Count("pk", filter=pending),
            retrying=Count("pk", filter=pending & Q(attempts__gt=0)),
            dead=Count("pk", filter=dead),
            oldest_at=Min("event__created_at", filter=pending),
        )
    )
    return [TargetState(**row) for row in counted]


def platform_dead_letters() -> list[OrgDead]:
    """Return the orgs that have dead letters, the most first."""
    with all_orgs_scope(reason=_PLATFORM):
        rows = EventDelivery.objects.across_orgs(reason=_PLATFORM)
        counted = rows.filter(status=DeliveryStatus.DEAD).order_by().values("org__name")
        found = counted.annotate(dead=Count("pk")).order_by("-dead", "org__name")
        return [OrgDead(org=row["org__name"], dead=row["dead"]) for row in found]


def event_type_counts(org: models.Model, since: datetime) -> dict[str, int]:
    """Return how many of an org's events of each type were written since a time."""
    rows = OutboxEvent.objects.for_org(org).filter(created_at__gte=since).order_by()
    return dict(rows.values("type").annotate(count=Count("pk")).values_list("type", "count"))


def relay_holder(now: datetime) -> str:
    """Return which process publishes now, empty when none does."""
    lease = Lease.objects.filter(name=RELAY_LEASE, expires_at__gte=now).first()
    return lease.owner if lease else ""


def last_failures(org: models.Model, *, limit: int = 5) -> "Sequence[EventDelivery]":
    """Return what of an org is tried again, the latest failure first."""
    rows = EventDelivery.objects.for_org(org).filter(status=DeliveryStatus.PENDING, attempts__gt=0)
    return list(rows.select_related("event").order_by("-changed_at")[:limit])
