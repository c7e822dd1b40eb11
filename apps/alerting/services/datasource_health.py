"""A datasource that is down is one alert: rules over it fail together, and are told of once.

Which datasources did not answer is kept with each rule. A built-in group, there since the first
failure, writes how many rules each of them fails as a series and raises ``DatasourceDown`` by a
rule on it, which an org may change like any other.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import models

from apps.alerting.models import Rule, RuleGroup
from apps.alerting.services.plans import RuleRun
from apps.alerting.services.queries import RuleQuerier
from apps.alerting.services.rulegroups import RuleGroupDraft, rulegroup_write
from apps.datasources.selectors import datasource_resolve
from detectviz.resources.errors import NotFoundError
from detectviz.tsdb.interface import METRIC_NAME, Sample

GROUP_NAME = "builtin-datasources"
GROUP_TITLE = "Built-in: datasources"
GROUP_INTERVAL_MS = 15_000
FAILING_RULES = "detectviz_datasource_failing_rules"
DATASOURCE_DOWN = "DatasourceDown"
MOST_DATASOURCES = 1_000

GROUP_RULES: tuple[dict[str, Any], ...] = (
    {
        "alert": DATASOURCE_DOWN,
        "expr": f"{FAILING_RULES} > 1",
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": "The datasource {{ $labels.datasource }} does not answer",
            "description": "{{ $value }} rules that ask it fail. Their own alerts are held back.",
        },
    },
)


def datasource_group_ensure(*, org: models.Model, now: datetime) -> None:
    """Give an org the built-in group, if it has none of that name."""
    if RuleGroup.objects.for_org(org).filter(name=GROUP_NAME).exists():
        return
    draft = RuleGroupDraft(
        name=GROUP_NAME,
        title=GROUP_TITLE,
        interval_ms=GROUP_INTERVAL_MS,
        rules=GROUP_RULES,
        is_builtin=True,
    )
    rulegroup_write(org=org, draft=draft, instance=None, now=now)


def datasource_failures_save(
    *, group: RuleGroup, rules: Mapping[str, Rule], runs: Iterable[RuleRun], now: datetime
) -> None:
    """Write which datasources did not answer a group's rules, where that changed."""
    failing = {run.rule.key: list(run.step.failing) for run in runs if run.step.failing}
    for key, rule in rules.items():
        found = failing.get(key, [])
        if rule.failing_datasources != found:
            rule.failing_datasources = found
            rows = Rule.objects.for_org(group.org_id).filter(pk=rule.pk)
            rows.update(failing_datasources=found)
            if found:
                datasource_group_ensure(org=group.org, now=now)


def datasource_health_write(group: RuleGroup, querier: RuleQuerier, *, at_ms: int) -> None:
    """Store, when it is the built-in group's turn, how many rules fail over each datasource."""
    if not group.is_builtin or group.name != GROUP_NAME:
        return
    written_ms = at_ms - group.query_offset_ms
    counts = failing_rules(group.org)
    samples = [
        Sample(
            {METRIC_NAME: FAILING_RULES, "datasource": name, "datasource_uid": uid},
            written_ms,
            float(count),
        )
        for (uid, name), count in counts.items()
    ]
    if samples:
        querier.store.append(querier.tenant, samples)


def failing_rules(org: models.Model) -> dict[tuple[str, str], int]:
    """Return how many rules fail over each datasource they ask, by (uid, name)."""
    rules = Rule.objects.for_org(org).filter(
        group__asks_datasources=True, group__is_enabled=True, is_enabled=True
    )
    failing: Counter[str] = Counter()
    asked: dict[str, None] = {}
    for queries, failed in rules.values_list("queries", "failing_datasources"):
        failing.update(failed)
        asked |= {query.get("datasource", ""): None for query in queries}
    found: dict[tuple[str, str], int] = {}
    for ref in list(asked)[:MOST_DATASOURCES]:
        try:
            source = datasource_resolve(org=org, ref=ref)
        except NotFoundError:  # an expression, or one that is no more
            continue
        found[source.uid, source.name] = failing[source.uid]
    return found
