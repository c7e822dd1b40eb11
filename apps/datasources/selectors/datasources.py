"""Lists of datasources."""

from collections import Counter

from django.db import models

from apps.datasources.models import Datasource
from detectviz.permissions.access import Access
from detectviz.resources.errors import ForbiddenError, NotFoundError
from detectviz.resources.models import is_name

READ = "datasources:read"


def datasource_list(org: models.Model, *, type_name: str = "") -> models.QuerySet[Datasource]:
    """Return the org's datasources by name, of one plugin if ``type_name`` is given."""
    rows = Datasource.objects.for_org(org).select_related("org", "folder").order_by("name")
    return rows.filter(type=type_name) if type_name else rows


def datasource_get(org: models.Model, *, access: Access, name: str) -> Datasource:
    """Return one datasource the caller may read.

    Raise ForbiddenError for who may read none of them, NotFoundError for everything else.
    """
    if not access.allows_somewhere(READ):
        raise ForbiddenError(f"You need the permission {READ} in this org.")
    row = (
        access.filter(datasource_list(org), READ).filter(name=name).first()
        if is_name(name)
        else None
    )
    if row is None:
        raise NotFoundError
    return row


def datasource_types(org: models.Model) -> Counter[str]:
    """Count the org's datasources by plugin."""
    return Counter(Datasource.objects.for_org(org).values_list("type", flat=True))
