"""What the host counts about children."""

from prometheus_client import Counter, Gauge

children = Gauge(
    "detectviz_plugin_children",
    "Processes of isolated plugins that run in this process.",
    ["kind", "plugin"],
)
child_starts_total = Counter(
    "detectviz_plugin_child_starts",
    "Starts of processes of isolated plugins.",
    ["kind", "plugin"],
)
child_ends_total = Counter(
    "detectviz_plugin_child_ends",
    "Ends of processes of isolated plugins by reason: idle, exit, protocol, deadline, start.",
    ["kind", "plugin", "reason"],
)
