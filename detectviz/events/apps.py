"""Django application of the event bus and the outbox."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """Owns the outbox and what is told of it."""

    name = "detectviz.events"
    label = "events"

    def ready(self) -> None:
        """Listen to what goes outside."""
        from detectviz.events import receivers  # noqa: F401, PLC0415 - registers on import
