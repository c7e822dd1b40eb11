"""Django application of the resource framework."""

from django.apps import AppConfig


class ResourcesConfig(AppConfig):
    """Loads every app's ``api/resources.py`` once all models are ready."""

    name = "detectviz.resources"
    label = "resources"
