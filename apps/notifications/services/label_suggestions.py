"""What matchers can be completed with: labels of alerts, of rules and of what is watched."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from django.db import models

from apps.alerting.enums import RuleKind
from apps.alerting.models import Rule
from apps.alerting.selectors import fired_since, rulegroup_queryset
from apps.monitors.selectors.monitors import monitor_queryset
from apps.notifications.models import RoutedAlert
from apps.notifications.services.visibility import AlertVisibility
from detectviz.permissions.access import Access

_RECENT = timedelta(days=30)
_MOST_ALERTS = 2000
_MONITOR_LABEL = "monitor"
_TEMPLATE = "{{"


def label_values(*, org: models.Model, access: Access, now: datetime) -> Mapping[str, set[str]]:
    """Return the values of each label that the asker's alerts have, had lately or may have.

    Rules say ``alertname`` and their own labels, monitors their names: what never fired can be
    silenced too.
    """
    found: dict[str, set[str]] = defaultdict(set)
    pairs = (*_of_alerts(org, access, now), *_of_rules(org, access), *_of_monitors(org, access))
    for labels in pairs:
        for name, value in labels.items():
            found[name].add(value)
    return found


def rule_labels(rule: Rule) -> Mapping[str, str]:
    """Return the labels that every alert of a rule has, whatever it finds."""
    own = {name: text for name, text in rule.labels.items() if _TEMPLATE not in text}
    return {**own, "alertname": rule.name}


def _of_alerts(org: models.Model, access: Access, now: datetime) -> Iterator[Mapping[str, str]]:
    visible = AlertVisibility(org=org, access=access)
    rows = (
        RoutedAlert.objects.for_org(org)
        .order_by("-updated_at")
        .only("org_id", "labels", "rule_group")
    )
    for row in rows[:_MOST_ALERTS]:
        if visible.has(row.rule_group):
            yield row.labels
    for event in fired_since(org, now - _RECENT, limit=_MOST_ALERTS):
        if visible.has(event.group_name):
            yield event.labels


def _of_rules(org: models.Model, access: Access) -> Iterator[Mapping[str, str]]:
    for group in access.filter(rulegroup_queryset(org), "rulegroups:read"):
        for rule in group.rules.all():
            if rule.kind == RuleKind.ALERTING:
                yield rule_labels(rule)


def _of_monitors(org: models.Model, access: Access) -> Iterator[Mapping[str, str]]:
    rows = access.filter(monitor_queryset(org), "monitors:read")
    for name in rows.values_list("name", flat=True)[:_MOST_ALERTS]:
        yield {_MONITOR_LABEL: name}
