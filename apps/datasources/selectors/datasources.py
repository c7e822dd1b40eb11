"""Lists of datasources."""

from collections import Counter

from django.db import models

from apps.datasources.models import Datasource


def datasource_list(org: models.Model, *, type_name: str = "") -> models.QuerySet[Datasource]:
    """Return the org's datasources by name, of one plugin if ``type_name`` is given."""
    rows = Datasource.objects.for_org(org).select_related("org", "folder").order_by("name")
    return rows.filter(type=type_name) if type_name else rows


def datasource_types(org: models.Model) -> Counter[str]:
    """Count the org's datasources by plugin."""
    return Counter(Datasource.objects.for_org(org).values_list("type", flat=True))
