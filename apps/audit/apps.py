"""The audit log."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Records every write and every sign-in; reads events, nobody reads it."""

    name = "apps.audit"

    def ready(self) -> None:
        """Listen to what happens."""
        from apps.audit import receivers  # noqa: F401, PLC0415 - registers on import
