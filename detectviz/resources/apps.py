"""Django application of the resource framework."""

from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig, apps


class ResourcesConfig(AppConfig):
    """Loads every app's ``api/resources.py`` once all models are ready. Must be listed last."""

    name = "detectviz.resources"
    label = "resources"

    def ready(self) -> None:
        """Gather the registrations and freeze the registry."""
        registry = import_module("detectviz.resources.registry").registry  # needs models
        if registry.is_frozen:
            return
        for config in apps.get_app_configs():
            api = find_spec(f"{config.name}.api")
            is_package = api is not None and api.submodule_search_locations
            if is_package and find_spec(f"{config.name}.api.resources"):
                import_module(f"{config.name}.api.resources")
        registry.is_frozen = True
