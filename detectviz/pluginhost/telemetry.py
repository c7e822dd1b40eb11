"""Executions of plugins, counted by the host and the same for every kind."""

from functools import cache

from prometheus_client import Counter, Gauge

executions_total = Counter(
    "detectviz_plugin_executions",
    "Calls of plugins by outcome: ok, failed (what was asked for did not succeed), error, "
    "cancelled (nobody waited any more).",
    ["kind", "plugin", "outcome"],
)
execution_seconds_total = Counter(
    "detectviz_plugin_execution_seconds",
    "Seconds spent in calls of plugins; divided by executions it is the mean duration.",
    ["kind", "plugin"],
)
errors_total = Counter(
    "detectviz_plugin_errors",
    "Calls the plugin host could not bring to an end, by class of its error.",
    ["kind", "plugin", "error"],
)
in_flight = Gauge(
    "detectviz_plugin_calls_in_flight",
    "Calls of plugins under way.",
    ["kind", "plugin"],
    multiprocess_mode="livesum",
)
memory_bytes = Gauge(
    "detectviz_plugin_memory_bytes",
    "Memory of plugins that have processes of their own.",
    ["kind", "plugin"],
    multiprocess_mode="livesum",
)
loads_total = Counter(
    "detectviz_plugin_loads",
    "Plugins loaded into a process, by outcome: ok, broken.",
    ["kind", "plugin", "outcome"],
)


@cache
def _children(kind: str, plugin: str) -> tuple[Gauge, Counter]:
    """Return a plugin's own metrics; looking labels up costs more than counting."""
    return in_flight.labels(kind, plugin), execution_seconds_total.labels(kind, plugin)


@cache
def _executions(kind: str, plugin: str, outcome: str) -> Counter:
    return executions_total.labels(kind, plugin, outcome)


def call_begin(kind: str, plugin: str) -> None:
    """Count a call under way."""
    _children(kind, plugin)[0].inc()


def call_end(kind: str, plugin: str) -> None:
    """Count it no more."""
    _children(kind, plugin)[0].dec()


def executions_count(
    kind: str, plugin: str, outcome: str, *, took_s: float, executions: int = 1
) -> None:
    """Count calls of one plugin that ended alike; ``took_s`` is the sum of their durations."""
    _executions(kind, plugin, outcome).inc(executions)
    _children(kind, plugin)[1].inc(took_s)
