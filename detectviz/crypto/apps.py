"""Django application of the data keys."""

from django.apps import AppConfig


class CryptoConfig(AppConfig):
    """Owns the table of wrapped data keys."""

    name = "detectviz.crypto"
    label = "crypto"

    def ready(self) -> None:
        """Register the system checks."""
        from detectviz.crypto import checks  # noqa: F401, PLC0415 - registers on import
