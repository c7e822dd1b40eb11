"""The collector's own metrics, for ``/metrics``."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from django.db.models import Count, Min
from prometheus_client import Counter, Gauge, Histogram

from apps.extensions.selectors import plugin_client
from apps.monitors.models import Monitor, MonitorSchedule
from apps.monitors.services.reports import CheckReport
from apps.monitors.services.results import StoredResults
from detectviz.clock import to_ms, utc_now
from detectviz.collection.checks import Outcome
from detectviz.collection.stats import LAG_BUCKETS_S, EngineStats
from detectviz.contracts.collector import CheckResult
from detectviz.contracts.errors import (
    CertificateError,
    ConfigurationError,
    DeadlineExceededError,
    EgressDeniedError,
    NetworkError,
    PluginError,
)
from detectviz.contracts.types import CheckState, PluginKind
from detectviz.observability.scrape import (
    QUEUE_AGE,
    QUEUE_DEPTH,
    Reading,
    ScrapedMetric,
    age_s,
    scraped,
)
from detectviz.pluginhost.registry import Outcome as CallOutcome

_ACROSS = "the platform's own metrics are about all orgs"
ERROR_TYPES = frozenset(
    error.__name__
    for error in (
        CertificateError,
        ConfigurationError,
        DeadlineExceededError,
        EgressDeniedError,
        NetworkError,
        PluginError,
    )
)
_OUTCOMES: dict[CheckState, CallOutcome] = {
    CheckState.UP: "ok",
    CheckState.DEGRADED: "ok",
    CheckState.DOWN: "failed",
}

checks_total = Counter("detectviz_checks_total", "Finished checks by their own result.", ["state"])
slots_skipped = Counter("detectviz_slots_skipped_total", "Planned checks passed over as too late.")
results_fenced = Counter(
    "detectviz_results_fenced_total", "Results dropped: edited, paused or taken over meanwhile."
)
lateness_seconds = Histogram(
    "detectviz_check_lateness_seconds", "How late checks started.", buckets=LAG_BUCKETS_S
)
flush_seconds = Histogram("detectviz_results_flush_seconds", "Storing one batch of results.")
transitions_total = Counter("detectviz_monitor_transitions_total", "Changes of state.", ["state"])
engine_checks = Gauge(
    "detectviz_engine_checks",
    "Checks inside the engine by stage.",
    ["stage"],
    multiprocess_mode="livesum",
)
engine_is_pushing_back = Gauge(
    "detectviz_engine_pushing_back",
    "1 while no check is started because results can't be stored.",
    multiprocess_mode="livemax",
)
collection_duration = Histogram(
    "detectviz_collection_duration_seconds",
    "Duration of checks as their collector measured it.",
    ["collector", "status"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0),
)
collection_errors_total = Counter(
    "detectviz_collection_errors",
    "Checks that did not end up or degraded, by the error that ended them.",
    ["collector", "error_type"],
)
metrics_ingested_total = Counter(
    "detectviz_metrics_ingested", "Metrics that finished checks brought along.", ["collector"]
)

COLLECTORS = ScrapedMetric(
    name="detectviz_collectors_total",
    help="Monitors by type and by state (paused when disabled).",
    labels=("type", "status"),
    kind="unknown",
)


@scraped("monitors", COLLECTORS, QUEUE_DEPTH, QUEUE_AGE)
def monitors_read() -> Iterator[Reading]:
    """Count monitors, and the checks that are due and not claimed."""
    monitors = Monitor.objects.across_orgs(reason=_ACROSS)
    counted: dict[tuple[str, str], int] = defaultdict(int)
    groups = monitors.values_list("type", "is_enabled", "state__state").annotate(rows=Count("pk"))
    for kind, is_enabled, state, rows in groups.order_by():
        counted[kind, (state or CheckState.UNKNOWN.value) if is_enabled else "paused"] += rows
    for labels, count in counted.items():
        yield COLLECTORS, labels, float(count)
    now_ms = to_ms(utc_now())
    due = MonitorSchedule.objects.across_orgs(reason=_ACROSS).filter(
        is_active=True, next_due_ms__lte=now_ms
    )
    waiting = due.aggregate(rows=Count("pk"), oldest_ms=Min("next_due_ms"))
    oldest_s = None if waiting["oldest_ms"] is None else waiting["oldest_ms"] / 1000
    yield QUEUE_DEPTH, ("checks",), float(waiting["rows"])
    yield QUEUE_AGE, ("checks",), age_s(oldest_s, now_ms / 1000)


def flush_count(
    outcomes: Sequence[Outcome],
    reports: Sequence[CheckReport],
    stored: StoredResults,
    *,
    took_s: float,
) -> None:
    """Count one batch: all outcomes, and by collector those whose monitor is still there."""
    for outcome in outcomes:
        checks_total.labels(outcome.result.state.value).inc()
        lateness_seconds.observe(outcome.lag_s)
    _collectors_count(reports)
    for event in stored.transitions:
        transitions_total.labels(event.state).inc()
    results_fenced.inc(stored.fenced)
    flush_seconds.observe(took_s)


def _collectors_count(reports: Sequence[CheckReport]) -> None:
    alike: dict[tuple[str, CheckState], list[CheckResult]] = defaultdict(list)
    for report in reports:
        alike[report.plan.type, report.result.state].append(report.result)
    for (collector, state), results in alike.items():
        durations = [result.duration_s for result in results if result.duration_s is not None]
        observe = collection_duration.labels(collector, state.value).observe
        for duration_s in durations:
            observe(duration_s)
        metrics_ingested_total.labels(collector).inc(sum(len(one.metrics) for one in results))
        outcome: CallOutcome = _OUTCOMES.get(state, "error")
        plugin_client().count(
            PluginKind.COLLECTOR,
            collector,
            outcome,
            took_s=sum(durations),
            executions=len(results),
        )
        if outcome != "ok":
            for result in results:
                collection_errors_total.labels(collector, error_type_of(result)).inc()


def error_type_of(result: CheckResult) -> str:
    """Return the name of the error that ended a check; ``verdict`` when the target answered.

    Evidence is what a plugin wrote, so only names of the contract's own errors become labels.
    """
    error = result.evidence.get("error")
    if error is None:
        return "verdict"
    return error if isinstance(error, str) and error in ERROR_TYPES else "other"


def engine_show(stats: EngineStats) -> None:
    """Show how much is inside the engine."""
    engine_checks.labels("scheduled").set(stats.scheduled)
    engine_checks.labels("waiting").set(stats.waiting_for_host + stats.waiting_for_pace)
    engine_checks.labels("in_flight").set(stats.in_flight)
    engine_checks.labels("buffered").set(stats.buffered)
    engine_is_pushing_back.set(float(stats.is_pushing_back))
