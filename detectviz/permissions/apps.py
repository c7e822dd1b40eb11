"""Django application of the permissions."""

from django.apps import AppConfig


class PermissionsConfig(AppConfig):
    """Cleans up grants when what they were granted on disappears."""

    name = "detectviz.permissions"
    label = "permissions"

    def ready(self) -> None:
        """Connect the clean-up."""
        # All models must be there first.
        from detectviz.permissions.memory import watch_groups  # noqa: PLC0415
        from detectviz.permissions.scopes import connect_cleanup  # noqa: PLC0415

        connect_cleanup()
        watch_groups()
