"""Django application of the event bus and the outbox."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """Owns the outbox table."""

    name = "detectviz.events"
    label = "events"
