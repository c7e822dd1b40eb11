"""Time series as the product's pages and programs ask for them."""

from importlib import import_module

from django.apps import AppConfig


class SeriesConfig(AppConfig):
    """Holds the process's series store and what is known beside its samples."""

    name = "apps.series"

    def ready(self) -> None:
        """Register the metrics that are looked up."""
        import_module("apps.series.services.telemetry")
