"""Django application of the runtime: leases and process heartbeats."""

from django.apps import AppConfig


class RuntimeConfig(AppConfig):
    """Owns the lease and heartbeat tables."""

    name = "detectviz.runtime"
    label = "runtime"
