"""Django application of the runtime: leases and process heartbeats."""

from importlib import import_module

from django.apps import AppConfig


class RuntimeConfig(AppConfig):
    """Owns the lease and heartbeat tables."""

    name = "detectviz.runtime"
    label = "runtime"

    def ready(self) -> None:
        """Make our Celery application the current one, so that shared tasks belong to it."""
        import_module("detectviz.celery")
