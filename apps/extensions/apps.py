"""The plugins of this process."""

from django.apps import AppConfig


class ExtensionsConfig(AppConfig):
    """Holds the plugin host of the process."""

    name = "apps.extensions"
