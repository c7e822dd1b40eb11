"""The plugins of this process."""

from django.apps import AppConfig


class ExtensionsConfig(AppConfig):
    """Holds the catalogue of plugins; owns no tables yet."""

    name = "apps.extensions"
