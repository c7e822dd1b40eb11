"""Django application of the permissions."""

from django.apps import AppConfig


class PermissionsConfig(AppConfig):
    """Cleans up grants when what they were granted on disappears."""

    name = "detectviz.permissions"
    label = "permissions"

    def ready(self) -> None:
        """Connect the clean-up."""
        from detectviz.permissions.memory import watch_groups  # noqa: PLC0415 - needs all models
        from detectviz.permissions.scopes import connect_cleanup  # noqa: PLC0415 - needs all models

        connect_cleanup()
        watch_groups()
