"""Connections to outside systems."""

from importlib import import_module

from django.apps import AppConfig


class DatasourcesConfig(AppConfig):
    """Holds configured datasources and lends their plugins what a call may use."""

    name = "apps.datasources"

    def ready(self) -> None:
        """Say what uses datasource plugins."""
        import_module("apps.datasources.services.usage")
