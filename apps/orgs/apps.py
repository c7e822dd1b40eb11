"""Organisations and folders."""

from django.apps import AppConfig


class OrgsConfig(AppConfig):
    """The lowest app: everything else belongs to an org."""

    name = "apps.orgs"
