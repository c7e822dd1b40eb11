"""People who answer alerts."""

from importlib import import_module

from django.apps import AppConfig


class OncallConfig(AppConfig):
    """Stands above notifications: it says whom they tell next."""

    name = "apps.oncall"

    def ready(self) -> None:
        """Subscribe, and tell notifications of policies and of people's contact methods."""
        import_module("apps.oncall.receivers")
        import_module("apps.oncall.services.telemetry")
        import_module("apps.oncall.services.wiring").wire()
