"""Running the platform itself: start-up, health, the overview, pipelines."""

from importlib import import_module

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """The top app: it may ask every other one."""

    name = "apps.operations"

    def ready(self) -> None:
        """Register the metrics that are looked up."""
        import_module("apps.operations.services.telemetry")
