"""Executions of plugins, counted by the host and the same for every kind."""

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


def executions_count(
    kind: str, plugin: str, outcome: str, *, took_s: float, executions: int = 1
) -> None:
    """Count calls of one plugin that ended alike; ``took_s`` is the sum of their durations."""
    executions_total.labels(kind, plugin, outcome).inc(executions)
    execution_seconds_total.labels(kind, plugin).inc(took_s)
