"""Django application of the runtime: leases and process heartbeats."""

from importlib import import_module

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from detectviz.observability.database import queries_measure


class RuntimeConfig(AppConfig):
    """Owns the lease and heartbeat tables."""

    name = "detectviz.runtime"
    label = "runtime"

    def ready(self) -> None:
        """Make our Celery application the current one, so that shared tasks belong to it.

        Also measure the database from its first connection, and register the framework's checks.
        """
        import_module("detectviz.celery")
        import_module("detectviz.runtime.telemetry")
        import_module("detectviz.runtime.series")
        import_module("detectviz.checks")
        connection_created.connect(queries_measure, dispatch_uid="detectviz.queries")
