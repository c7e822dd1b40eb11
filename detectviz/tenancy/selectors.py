"""Find the org a request names, and the orgs its user may enter."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models


def org_get(*, name: str) -> Any | None:
    """Return the active org called ``name``, or None."""
    model = apps.get_model(settings.DETECTVIZ_ORG_MODEL)
    return model._default_manager.filter(name=name, is_active=True).first()


def org_list_of(user: AbstractBaseUser | AnonymousUser) -> models.QuerySet[models.Model]:
    """Return the active orgs that ``user`` is a member of, by name; all for a superuser."""
    model = apps.get_model(settings.DETECTVIZ_ORG_MODEL)
    orgs: models.QuerySet[models.Model] = model._default_manager.filter(is_active=True)
    orgs = orgs.order_by("name")
    if getattr(user, "is_superuser", False):
        return orgs
    memberships: Any = apps.get_model(settings.DETECTVIZ_MEMBERSHIP_MODEL)
    mine = memberships.objects.across_orgs(reason="the orgs of one user are many orgs")
    return orgs.filter(pk__in=mine.filter(user_id=user.pk, is_active=True).values("org_id"))
