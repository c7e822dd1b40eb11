"""Questions about notifications."""

from typing import Any

from django.db import models
from django.db.models import QuerySet

from apps.notifications.models import AlertGroup, ContactPoint, Delivery, RoutingTree


def contact_point_list(*, org: models.Model) -> "QuerySet[ContactPoint]":
    """Return the org's contact points by name."""
    points: QuerySet[ContactPoint] = ContactPoint.objects.for_org(org).order_by("name")
    return points


def routing_tree_get(*, org: models.Model) -> RoutingTree | None:
    """Return the org's tree."""
    tree: RoutingTree | None = RoutingTree.objects.for_org(org).first()
    return tree


def delivery_list(
    *,
    org: models.Model,
    status: str = "",
    contact_point: str = "",
    fingerprint: str = "",
    limit: int = 100,
) -> list[Delivery]:
    """Return the latest deliveries, optionally of one alert (by fingerprint)."""
    rows = Delivery.objects.for_org(org)
    if status:
        rows = rows.filter(status=status)
    if contact_point:
        rows = rows.filter(contact_point=contact_point)
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
