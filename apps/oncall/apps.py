"""People who answer alerts."""

from django.apps import AppConfig


class OncallConfig(AppConfig):
    """Stands above notifications: it says whom they tell next."""

    name = "apps.oncall"
