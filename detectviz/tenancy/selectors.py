"""Find the org a request names."""

from typing import Any

from django.apps import apps
from django.conf import settings


def org_get(*, name: str) -> Any | None:
    """Return the active org called ``name``, or None."""
    model = apps.get_model(settings.DETECTVIZ_ORG_MODEL)
    return model._default_manager.filter(name=name, is_active=True).first()
