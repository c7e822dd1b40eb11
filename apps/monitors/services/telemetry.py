"""The collector's own metrics, for ``/metrics``."""

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

from apps.monitors.services.results import StoredResults
from detectviz.collection.checks import Outcome
from detectviz.collection.stats import LAG_BUCKETS_S, EngineStats

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


def flush_count(outcomes: Sequence[Outcome], stored: StoredResults, *, took_s: float) -> None:
    """Count one batch."""
    for outcome in outcomes:
        checks_total.labels(outcome.result.state.value).inc()
        lateness_seconds.observe(outcome.lag_s)
    for event in stored.transitions:
        transitions_total.labels(event.state).inc()
    results_fenced.inc(stored.fenced)
    flush_seconds.observe(took_s)


def engine_show(stats: EngineStats) -> None:
    """Show how much is inside the engine."""
    engine_checks.labels("scheduled").set(stats.scheduled)
    engine_checks.labels("waiting").set(stats.waiting_for_host + stats.waiting_for_pace)
    engine_checks.labels("in_flight").set(stats.in_flight)
    engine_checks.labels("buffered").set(stats.buffered)
    engine_is_pushing_back.set(float(stats.is_pushing_back))
