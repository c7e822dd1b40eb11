"""Monitors: what to watch, how often, with which collector."""

from django.apps import AppConfig


class MonitorsConfig(AppConfig):
    """Monitors, their schedule, state, history and heartbeats."""

    name = "apps.monitors"
