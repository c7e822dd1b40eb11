"""Monitors: what to watch, how often, with which collector."""

from importlib import import_module

from django.apps import AppConfig


class MonitorsConfig(AppConfig):
    """Monitors, their schedule, state, history and heartbeats."""

    name = "apps.monitors"

    def ready(self) -> None:
        """Register the metrics that are looked up, and what uses collectors."""
        import_module("apps.monitors.services.telemetry")
        import_module("apps.monitors.services.usage")
