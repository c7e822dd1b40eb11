"""``api/v1/rules`` and ``api/v1/alerts`` of Prometheus' API."""

from collections import defaultdict
from typing import Any

from django.http import HttpRequest

from apps.alerting.api.prometheus.filters import RuleFilters
from apps.alerting.api.prometheus.serializers import alert_json, file_of, group_json, rule_json
from apps.alerting.models import Alert
from apps.alerting.selectors import alert_list, rulegroup_queryset
from detectviz.doors.prometheus import FilteredView, Success


class RulesView(FilteredView):
    """``rules``."""

    permission = "rulegroups:read"

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """List the groups with rules that are asked for."""
        filters = RuleFilters.of(self.parameters)
        with_alerts = not self.parameters.is_true("exclude_alerts")
        rows = self.access.filter(rulegroup_queryset(self.org), self.permission)
        groups = [each for each in rows if each.is_enabled and filters.wants_group(each)]
        groups.sort(key=lambda each: (file_of(each), each.name))
        page, next_token = filters.page(groups)
        active = self._active()
        shown = []
        for group in page:
            wanted = [rule for rule in group.rules.all() if filters.wants_rule(rule, group)]
            if wanted:
                rules = [
                    rule_json(rule, group, active[rule.pk], with_alerts=with_alerts)
                    for rule in wanted
                ]
                shown.append(group_json(group, rules))
        data: dict[str, Any] = {"groups": shown}
        if next_token:
            data["groupNextToken"] = next_token
        return Success(data=data)

    def _active(self) -> dict[int, list[Alert]]:
        by_rule: dict[int, list[Alert]] = defaultdict(list)
        for alert in self.access.filter(alert_list(self.org), "alerts:read"):
            if alert.rule_id is not None:
                by_rule[alert.rule_id].append(alert)
        return by_rule


class AlertsView(FilteredView):
    """``alerts``."""

    permission = "alerts:read"

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """List what is pending or firing."""
        rows = self.access.filter(alert_list(self.org).filter(rule__isnull=False), self.permission)
        return Success(data={"alerts": [alert_json(alert) for alert in rows]})
