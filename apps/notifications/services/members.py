"""Which alerts of a group are firing, and which are over."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from apps.alerting.selectors import evaluated_at
from apps.notifications.models import AlertGroup, RoutedAlert


def alerts_lapsed(alerts: Iterable[RoutedAlert], *, org_id: int, now: datetime) -> set[str]:
    """Return the fingerprints of alerts that nobody renewed although their rule was evaluated.

    An alert is over when it was said so, or when its rule went on being evaluated past
    ``ends_at`` without renewing it (an evaluation that fails renews nothing, as in Prometheus).
    Where nothing was evaluated since, we are what was down, and nothing is over.
    """
    ending = [alert for alert in alerts if alert.ends_at is not None and alert.ends_at <= now]
    if not ending:
        return set()
    evaluated = evaluated_at(org_id, {alert.rule_group for alert in ending})
    lapsed: set[str] = set()
    for alert in ending:
        looked_at = evaluated.get(alert.rule_group, now)
        if looked_at is not None and alert.ends_at is not None and looked_at >= alert.ends_at:
            lapsed.add(alert.fingerprint)
    return lapsed


def group_over(group: AlertGroup, now: datetime) -> list[RoutedAlert]:
    """Return the alerts of a group that are over; reads those alone that may be."""
    may_be = group.alerts.filter(Q(is_resolved=True) | Q(ends_at__lte=now))
    alerts = list(may_be.order_by("starts_at", "fingerprint"))
    lapsed = alerts_lapsed(alerts, org_id=group.org_id, now=now)
    return [alert for alert in alerts if alert.is_resolved or alert.fingerprint in lapsed]


def group_members(group: AlertGroup, now: datetime) -> tuple[list[RoutedAlert], list[RoutedAlert]]:
    """Return the firing and the resolved alerts of a group, oldest first."""
    alerts = list(group.alerts.order_by("starts_at", "fingerprint"))
    lapsed = alerts_lapsed(alerts, org_id=group.org_id, now=now)
    firing: list[RoutedAlert] = []
    resolved: list[RoutedAlert] = []
    for alert in alerts:
        is_over = alert.is_resolved or alert.fingerprint in lapsed
        (resolved if is_over else firing).append(alert)
    return firing, resolved
