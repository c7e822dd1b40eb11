"""Questions about notifications."""

from typing import Any

from django.db import models
from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from apps.notifications.models import AlertGroup, ContactPoint, Delivery, RoutingTree
from detectviz.resources.errors import NotFoundError


def contact_point_list(*, org: models.Model) -> "QuerySet[ContactPoint]":
    """Return the org's contact points by name."""
    points: QuerySet[ContactPoint] = ContactPoint.objects.for_org(org).order_by("name")
    return points


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


def routing_tree_get(*, org: models.Model) -> RoutingTree | None:
    """Return the org's tree."""
    tree: RoutingTree | None = RoutingTree.objects.for_org(org).first()
    return tree


def delivery_queryset(
    *, org: models.Model, status: str = "", contact_point: str = "", notifier: str = ""
) -> "QuerySet[Delivery]":
    """Return deliveries, the latest first, with ``group_labels`` instead of the whole payload."""
    rows: QuerySet[Delivery] = Delivery.objects.for_org(org)
    wanted = {"status": status, "contact_point": contact_point, "notifier": notifier}
    return (
        rows.filter(**{key: value for key, value in wanted.items() if value})
        .defer("payload")
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
    rows = delivery_queryset(org=org, status=status, contact_point=contact_point)
    if not fingerprint:
        return list(rows[:limit])
    # The fingerprint lists are JSON arrays; SQLite has no containment, so the filter is here.
    recent = rows[: limit * 10]
    return [row for row in recent if fingerprint in {*row.firing, *row.resolved}][:limit]


def group_list(*, org: models.Model) -> list[dict[str, Any]]:
    """Return the groups that wait for their next flush."""
    rows = AlertGroup.objects.for_org(org).order_by("next_flush_at")
    return list(
        rows.values("group_key", "contact_point", "group_labels", "next_flush_at", "flush_number")
    )
