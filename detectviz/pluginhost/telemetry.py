"""Executions of plugins, counted by the host and the same for every kind."""

from prometheus_client import Counter

executions_total = Counter(
    "detectviz_plugin_executions",
    "Calls of plugins by outcome: ok, failed (what was asked for did not succeed), error.",
    ["kind", "plugin", "outcome"],
)
execution_seconds_total = Counter(
    "detectviz_plugin_execution_seconds",
    "Seconds spent in calls of plugins; divided by executions it is the mean duration.",
    ["kind", "plugin"],
)


def executions_count(
    kind: str, plugin: str, outcome: str, *, took_s: float, executions: int = 1
) -> None:
    """Count calls of one plugin that ended alike; ``took_s`` is the sum of their durations."""
    executions_total.labels(kind, plugin, outcome).inc(executions)
    execution_seconds_total.labels(kind, plugin).inc(took_s)
