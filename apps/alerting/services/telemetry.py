"""Metrics of rule evaluation, for ``/metrics``."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator

from django.db.models import Count, Min, Q
from django.db.models.fields.json import KeyTextTransform
from prometheus_client import Counter, Histogram

from apps.alerting.enums import AlertState, RuleHealth
from apps.alerting.models import Alert, Rule, RuleGroup
from apps.alerting.services.plans import BatchRun
from detectviz.clock import utc_now
from detectviz.observability.scrape import (
    QUEUE_AGE,
    QUEUE_DEPTH,
    Reading,
    ScrapedMetric,
    age_s,
    scraped,
)

_ACROSS = "the platform's own metrics are about all orgs"
ACTIVE = (AlertState.PENDING, AlertState.FIRING, AlertState.RECOVERING)
SEVERITIES = frozenset({"critical", "page", "error", "warning", "info", "none"})

evaluation_duration = Histogram(
    "detectviz_alert_evaluation_duration_seconds",
    "Duration of one rule's evaluation, queries and writing of series included.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0),
)
evaluation_failures_total = Counter(
    "detectviz_alert_evaluation_failures", "Evaluations of rules that ended in an error."
)


def observe_batches(batches: Iterable[BatchRun]) -> None:
    """Count evaluations and how long they took; rules asked together share their time."""
    failures = 0
    for batch in batches:
        each_s = batch.duration_s / batch.count
        # As observe() for each, which would take longer than the rules themselves.
        evaluation_duration._sum.inc(batch.duration_s)  # noqa: SLF001 - see above
        place = bisect_left(evaluation_duration._upper_bounds, each_s)  # noqa: SLF001 - see above
        evaluation_duration._buckets[place].inc(batch.count)  # noqa: SLF001 - see above
        failures += sum(run.error is not None for run in batch.runs)
    evaluation_failures_total.inc(failures)


RULES = ScrapedMetric(
    name="detectviz_alert_rules_total",
    help="Rules by the health of their last evaluation (disabled when not evaluated).",
    labels=("status",),
    kind="unknown",
)
ALERTS = ScrapedMetric(
    name="detectviz_alerts_active",
    help="Alerts that are pending, firing or recovering, by severity; unusual words are other.",
    labels=("severity",),
)


@scraped("alerting", RULES, ALERTS, QUEUE_DEPTH, QUEUE_AGE)
def alerting_read() -> Iterator[Reading]:
    """Count rules and alerts, and the rule groups that are due."""
    for status, count in _rules().items():
        yield RULES, (status,), float(count)
    for severity, count in _alerts().items():
        yield ALERTS, (severity,), float(count)
    now = utc_now()
    due = RuleGroup.objects.across_orgs(reason=_ACROSS).filter(
        Q(lease_until__isnull=True) | Q(lease_until__lt=now), is_enabled=True, next_due_at__lte=now
    )
    waiting = due.aggregate(rows=Count("pk"), oldest=Min("next_due_at"))
    oldest_s = waiting["oldest"].timestamp() if waiting["oldest"] else None
    yield QUEUE_DEPTH, ("rule_groups",), float(waiting["rows"])
    yield QUEUE_AGE, ("rule_groups",), age_s(oldest_s, now.timestamp())


def _rules() -> dict[str, int]:
    counted = dict.fromkeys([*RuleHealth.values, "disabled"], 0)
    rows = Rule.objects.across_orgs(reason=_ACROSS).order_by()
    groups = rows.values_list("health", "is_enabled", "group__is_enabled")
    for health, is_enabled, is_group_enabled, count in groups.annotate(rows=Count("pk")):
        counted[health if is_enabled and is_group_enabled else "disabled"] += count
    return counted


def _alerts() -> dict[str, int]:
    counted: dict[str, int] = defaultdict(int)
    rows = Alert.objects.across_orgs(reason=_ACROSS).filter(state__in=ACTIVE).order_by()
    severities = rows.annotate(severity=KeyTextTransform("severity", "labels"))
    for severity, count in severities.values_list("severity").annotate(rows=Count("pk")):
        known = severity if severity in SEVERITIES else "other"
        counted[known if severity else "none"] += count
    return counted
