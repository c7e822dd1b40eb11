"""Which alerts of a group are firing, and which are over."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter

from django.db.models import Q

from apps.alerting.selectors import evaluated_at
from apps.notifications.models import AlertGroup
from apps.notifications.services.alert_facts import AlertRow, EndingAlert, TellableAlert
from apps.notifications.services.payload import Members


def alerts_lapsed(alerts: Iterable[EndingAlert], *, org_id: int, now: datetime) -> set[str]:
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


def groups_over(
    groups: Collection[AlertGroup], now: datetime
) -> Mapping[int, Sequence[TellableAlert]]:
    """Return the alerts that are over of groups of one org, by the group's key.

    Reads those alone that may be; a group without any is left out.
    """
    if not groups:
        return {}
    may_be = alerts_by_group(
        groups, only=Q(routedalert__is_resolved=True) | Q(routedalert__ends_at__lte=now)
    )
    alerts = (alert for some in may_be.values() for alert in some)
    lapsed = alerts_lapsed(alerts, org_id=next(iter(groups)).org_id, now=now)
    parted = {group: _parted(some, lapsed).resolved for group, some in may_be.items()}
    return {group: over for group, over in parted.items() if over}


def groups_inhabited(groups: Collection[AlertGroup]) -> set[int]:
    """Return the keys of those groups that have alerts."""
    through = AlertGroup.alerts.through.objects.filter(alertgroup__in=groups)
    return set(through.order_by().values_list("alertgroup_id", flat=True).distinct())


def groups_members(
    *, org_id: int, groups: Collection[AlertGroup], now: datetime
) -> Mapping[int, Members]:
    """Return the alerts of groups of one org by the group's key; an empty one is left out."""
    by_group = alerts_by_group(groups)
    alerts = (alert for some in by_group.values() for alert in some)
    lapsed = alerts_lapsed(alerts, org_id=org_id, now=now)
    return {group: _parted(some, lapsed) for group, some in by_group.items()}


def alerts_by_group(
    groups: Collection[AlertGroup], *, only: Q | None = None
) -> Mapping[int, list[AlertRow]]:
    """Return the alerts of groups by the group's key, in no order; an empty one is left out."""
    through = AlertGroup.alerts.through.objects.filter(only or Q(), alertgroup__in=groups)
    columns = [f"routedalert__{name}" for name in AlertRow._fields]
    found: dict[int, list[AlertRow]] = defaultdict(list)
    for group, *facts in through.values_list("alertgroup_id", *columns):
        found[group].append(AlertRow._make(facts))
    return found


def _parted(alerts: list[AlertRow], lapsed: Collection[str]) -> Members:
    alerts.sort(key=attrgetter("starts_at", "fingerprint"))
    firing: list[AlertRow] = []
    resolved: list[AlertRow] = []
    for alert in alerts:
        is_over = alert.is_resolved or alert.fingerprint in lapsed
        (resolved if is_over else firing).append(alert)
    return Members(firing, resolved)
