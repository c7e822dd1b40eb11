"""Questions about notifications."""

from datetime import datetime

from django.db import models
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Cast

from apps.notifications.enums import DeliveryStatus, SilenceState
from apps.notifications.models import (
    ContactPoint,
    Delivery,
    InhibitionRule,
    NotificationTemplate,
    RoutedAlert,
    RoutingTree,
    Silence,
    TimeInterval,
    Watchdog,
)
from detectviz.resources.errors import NotFoundError


def contact_point_list(*, org: models.Model) -> "QuerySet[ContactPoint]":
    """Return the org's contact points by name."""
    points: QuerySet[ContactPoint] = ContactPoint.objects.for_org(org).order_by("name")
    return points


def contact_point_list_falling_back(*, org: models.Model, to: str) -> "QuerySet[ContactPoint]":
    """Return the contact points that have another told where they can't be reached."""
    return contact_point_list(org=org).filter(fallback=to)


def contact_point_list_with_last(*, org: models.Model) -> "QuerySet[ContactPoint]":
    """Return contact points with the ``last_*`` of their latest delivery, None without one."""
    told = Delivery.objects.for_org(org).filter(contact_point=OuterRef("name"))
    latest = told.order_by("-created_at", "-pk")
    return contact_point_list(org=org).annotate(
        **{
            f"last_{name}": Subquery(latest.values(name)[:1])
            for name in ("uid", "status", "attempts", "created_at")
        }
    )


def contact_point_get(*, org: models.Model, name: str) -> ContactPoint:
    """Return one contact point; raise NotFoundError."""
    point = contact_point_list(org=org).filter(name=name).select_related("org").first()
    if point is None:
        raise NotFoundError
    return point


def notification_template_list(*, org: models.Model) -> "QuerySet[NotificationTemplate]":
    """Return the org's notification templates by name."""
    rows: QuerySet[NotificationTemplate] = NotificationTemplate.objects.for_org(org)
    return rows.order_by("name")


def notification_template_get(*, org: models.Model, name: str) -> NotificationTemplate:
    """Return one notification template; raise NotFoundError."""
    found = notification_template_list(org=org).filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found


def routing_tree_get(*, org: models.Model) -> RoutingTree | None:
    """Return the org's tree."""
    tree: RoutingTree | None = RoutingTree.objects.for_org(org).first()
    return tree


def delivery_queryset(
    *,
    org: models.Model,
    status: str = "",
    contact_point: str = "",
    notifier: str = "",
    alert: str = "",
) -> "QuerySet[Delivery]":
    """Return deliveries, the latest first, with ``group_labels`` instead of the whole payload.

    ``alert`` is a fingerprint: only deliveries that told about it.
    """
    rows: QuerySet[Delivery] = Delivery.objects.for_org(org)
    wanted = {"status": status, "contact_point": contact_point, "notifier": notifier}
    if alert:
        # A list of fingerprints is written alike by both databases: each in quotation marks.
        rows = rows.alias(
            firing_text=Cast("firing", models.TextField()),
            resolved_text=Cast("resolved", models.TextField()),
        ).filter(Q(firing_text__contains=f'"{alert}"') | Q(resolved_text__contains=f'"{alert}"'))
    return (
        rows.filter(**{key: value for key, value in wanted.items() if value})
        .defer("payload", "history")
        .annotate(group_labels=F("payload__group_labels"))
        .order_by("-created_at", "-pk")
    )


def delivery_after(*, rows: "QuerySet[Delivery]", last: Delivery) -> "QuerySet[Delivery]":
    """Return what follows ``last`` in the order of the log."""
    older = Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, pk__lt=last.pk)
    return rows.filter(older)


def delivery_get(*, org: models.Model, uid: str) -> Delivery:
    """Return one delivery with its payload; raise NotFoundError."""
    found: Delivery | None = Delivery.objects.for_org(org).filter(uid=uid).first()
    if found is None:
        raise NotFoundError
    return found


def delivery_list(
    *,
    org: models.Model,
    status: str = "",
    contact_point: str = "",
    fingerprint: str = "",
    limit: int = 100,
) -> list[Delivery]:
    """Return the latest deliveries, optionally of one alert (by fingerprint)."""
    rows = delivery_queryset(org=org, status=status, contact_point=contact_point, alert=fingerprint)
    return list(rows[:limit])


def dead_letter_uids(*, org: models.Model, contact_point: str = "", limit: int = 1000) -> list[str]:
    """Return the ids of the latest deliveries that failed for good."""
    rows = delivery_queryset(
        org=org, status=DeliveryStatus.FAILED.value, contact_point=contact_point
    )
    return list(rows.values_list("uid", flat=True)[:limit])


def routed_alert_list(*, org: models.Model, limit: int) -> list[RoutedAlert]:
    """Return the alerts that were heard of last."""
    rows: QuerySet[RoutedAlert] = RoutedAlert.objects.for_org(org)
    return list(rows.order_by("-updated_at")[:limit])


def receivers_of(*, org_id: int, contact_point: str) -> list[tuple[str, str]]:
    """Return a contact point's receivers that are on, as (name, notifier)."""
    point = ContactPoint.objects.for_org(org_id).filter(name=contact_point).first()
    receivers = point.receivers if point else []
    return [(one["name"], one["notifier"]) for one in receivers if one["enabled"]]


def inhibition_rule_list(*, org: models.Model) -> "QuerySet[InhibitionRule]":
    """Return the org's inhibition rules by name."""
    rows: QuerySet[InhibitionRule] = InhibitionRule.objects.for_org(org)
    return rows.select_related("org").order_by("name")


def inhibition_rule_get(*, org: models.Model, name: str) -> InhibitionRule:
    """Return one inhibition rule; raise NotFoundError."""
    found = inhibition_rule_list(org=org).filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found


def time_interval_list(*, org: models.Model) -> "QuerySet[TimeInterval]":
    """Return the org's time intervals by name."""
    rows: QuerySet[TimeInterval] = TimeInterval.objects.for_org(org)
    return rows.select_related("org").order_by("name")


def time_interval_get(*, org: models.Model, name: str) -> TimeInterval:
    """Return one time interval; raise NotFoundError."""
    found = time_interval_list(org=org).filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found


def silence_queryset(*, org: models.Model) -> "QuerySet[Silence]":
    """Return the org's silences, those that are over too."""
    rows: QuerySet[Silence] = Silence.objects.for_org(org)
    return rows.select_related("org", "folder")


def silence_get(*, org: models.Model, name: str) -> Silence:
    """Return one silence; raise NotFoundError."""
    found = silence_queryset(org=org).filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found


def silence_counts(rows: "QuerySet[Silence]", now: datetime) -> dict[SilenceState, int]:
    """Return how many silences are in each state; one query."""
    counts = rows.order_by().aggregate(
        **{state.value: Count("pk", filter=_in_state(state, now)) for state in SilenceState}
    )
    return {state: counts[state.value] for state in SilenceState}


def silence_list(
    rows: "QuerySet[Silence]", *, state: SilenceState, now: datetime
) -> "QuerySet[Silence]":
    """Return those in a state: what ends or begins first comes first, what expired last too."""
    order = {SilenceState.PENDING: "starts_at", SilenceState.EXPIRED: "-ends_at"}
    return rows.filter(_in_state(state, now)).order_by(order.get(state, "ends_at"), "pk")


def silence_creators(rows: "QuerySet[Silence]") -> list[str]:
    """Return who made them, by name."""
    names = rows.exclude(created_by="").order_by("created_by")
    return list(names.values_list("created_by", flat=True).distinct())


def _in_state(state: SilenceState, now: datetime) -> Q:
    if state is SilenceState.PENDING:
        return Q(starts_at__gt=now)
    if state is SilenceState.ACTIVE:
        return Q(starts_at__lte=now, ends_at__gt=now)
    return Q(starts_at__lte=now, ends_at__lte=now)


def delivery_by_uid(*, org_id: int, uid: str) -> Delivery | None:
    """Return one delivery with its org, None when there is none."""
    found: Delivery | None = (
        Delivery.objects.for_org(org_id).select_related("org").filter(uid=uid).first()
    )
    return found


def watchdog_list(*, org: models.Model) -> "QuerySet[Watchdog]":
    """Return the org's watchdogs, those whose proof is missing first."""
    rows: QuerySet[Watchdog] = Watchdog.objects.for_org(org)
    return rows.select_related("org").order_by("-is_failing", "name")


def watchdog_get(*, org: models.Model, name: str) -> Watchdog:
    """Return one watchdog; raise NotFoundError."""
    found = watchdog_list(org=org).filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found
