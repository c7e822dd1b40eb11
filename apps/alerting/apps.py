"""Rule groups, the alerts they raise and their history."""

from importlib import import_module

from django.apps import AppConfig


class AlertingConfig(AppConfig):
    """Evaluates rules and keeps the state of every alert."""

    name = "apps.alerting"

    def ready(self) -> None:
        """Listen to the other apps, and register the metrics that are looked up."""
        import_module("apps.alerting.receivers")
        import_module("apps.alerting.services.datasource_uses")
        import_module("apps.alerting.services.telemetry")
