"""Routing, grouping, delivery."""

from importlib import import_module

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Tells people and programs what is firing."""

    name = "apps.notifications"

    def ready(self) -> None:
        """Subscribe to what other apps say, and register the metrics that are looked up."""
        import_module("apps.notifications.receivers")
        import_module("apps.notifications.services.telemetry")
        import_module("apps.notifications.services.usage")
