"""Which alerts of a group are firing, and which are over."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from operator import attrgetter

from django.db.models import Q

from apps.alerting.selectors import evaluated_at
from apps.notifications.models import AlertGroup, RoutedAlert
from apps.notifications.services.payload import Members

BATCH = 500  # rows of one statement


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


def groups_members(
    *, org_id: int, groups: Collection[AlertGroup], now: datetime
) -> Mapping[int, Members]:
    """Return the alerts of groups of one org by the group's key; an empty one is left out."""
    through = AlertGroup.alerts.through.objects.filter(alertgroup__in=groups)
    pairs = list(through.values_list("alertgroup_id", "routedalert_id"))
    alerts = _alerts(org_id, {alert for _, alert in pairs})
    lapsed = alerts_lapsed(alerts.values(), org_id=org_id, now=now)
    by_group: dict[int, list[RoutedAlert]] = defaultdict(list)
    for group, alert in pairs:
        if alert in alerts:
            by_group[group].append(alerts[alert])
    return {group: _parted(some, lapsed) for group, some in by_group.items()}


def _alerts(org_id: int, keys: Collection[int]) -> dict[int, RoutedAlert]:
    rows = RoutedAlert.objects.for_org(org_id)
    wanted = sorted(keys)
    return {
        row.pk: row
        for start in range(0, len(wanted), BATCH)
        for row in rows.filter(pk__in=wanted[start : start + BATCH])
    }


def _parted(alerts: list[RoutedAlert], lapsed: Collection[str]) -> Members:
    alerts.sort(key=attrgetter("starts_at", "fingerprint"))
    firing: list[RoutedAlert] = []
    resolved: list[RoutedAlert] = []
    for alert in alerts:
        is_over = alert.is_resolved or alert.fingerprint in lapsed
        (resolved if is_over else firing).append(alert)
    return Members(firing, resolved)
