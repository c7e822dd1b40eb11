"""A row of every org-owned model, written inside a transaction that is never committed."""

from datetime import timedelta
from itertools import count
from typing import Any

from django.db import models

from apps.accounts.models import RoleBinding
from apps.orgs.models import Org
from detectviz.clock import utc_now

_numbers = count(1)
_VALUES: tuple[tuple[type[Any], Any], ...] = (
    (models.BooleanField, False),
    (models.DateTimeField, utc_now() + timedelta(hours=1)),
    (models.JSONField, {}),
    (models.FloatField, 1.0),
    (models.DurationField, timedelta(minutes=1)),
)


def row_make(model: Any, org: Org) -> Any:
    """Write one row of ``org``. What it refers to need not exist: that is checked at the commit."""
    row = model(**{field.attname: _value(field) for field in _required(model)})
    row.org_id = org.pk
    if isinstance(row, RoleBinding):
        row.user_id = -next(_numbers)  # a constraint wants exactly one subject
    model.all_orgs.bulk_create([row])
    return row


def _required(model: Any) -> list[Any]:
    return [
        field
        for field in model._meta.local_concrete_fields
        if field.name != "org"
        and (not field.primary_key or field.is_relation)
        and not field.null
        and not field.has_default()
        and not getattr(field, "auto_now_add", False)
        and not getattr(field, "auto_now", False)
    ]


def _value(field: Any) -> Any:
    number = next(_numbers)
    if field.is_relation:
        return -number
    if field.choices:
        return field.choices[0][0]
    for kind, value in _VALUES:
        if isinstance(field, kind):
            return value
    if isinstance(field, models.CharField | models.TextField):
        return f"r{number}"[: field.max_length]
    return number
