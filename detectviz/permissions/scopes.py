"""The models grants can be made on."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models.signals import post_delete

from detectviz.permissions.grants import grants_clear
from detectviz.resources.models import ResourceModel


def scope_models() -> Iterator[type[models.Model]]:
    """Yield the org model and every resource model."""
    yield apps.get_model(settings.DETECTVIZ_ORG_MODEL)
    for model in apps.get_models():
        if issubclass(model, ResourceModel):
            yield model


def connect_cleanup() -> None:
    """Delete the grants on an object together with it, whatever deletes it."""
    for model in scope_models():
        post_delete.connect(_on_deleted, sender=model, dispatch_uid=f"grants-{model.__name__}")


def _on_deleted(instance: models.Model, **kwargs: Any) -> None:
    grants_clear(instance)
