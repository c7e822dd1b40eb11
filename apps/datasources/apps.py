"""Connections to outside systems."""

from django.apps import AppConfig


class DatasourcesConfig(AppConfig):
    """Holds configured datasources and lends their plugins what a call may use."""

    name = "apps.datasources"
