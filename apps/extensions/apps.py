"""The plugins of this process."""

from django.apps import AppConfig


class ExtensionsConfig(AppConfig):
    """Holds the plugin host of the process."""

    name = "apps.extensions"

    def ready(self) -> None:
        """Listen to what plugins are refused."""
        from apps.extensions import receivers  # noqa: F401, PLC0415 - registers on import
