"""Running the platform itself: start-up, health, the overview."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """The top app: it may ask every other one."""

    name = "apps.operations"
