"""Rows of org-owned models nobody writes by a manifest, and marks in every text of an org."""

from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db import models

from apps.accounts.models import Membership, User
from apps.alerting.enums import AlertState
from apps.alerting.models import Alert
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.tenancy.models import OrgOwned
from tests.isolation.manifests import SHARED

# Texts that programs read: a mark in them would change what the row means.
MACHINE_TEXTS = {
    "uid": "the public identifier; forbidden words take it from here instead",
    "name": "the same in both orgs, so that only the org tells the rows apart",
    "digest": "of a credential",
    "source_digest": "a hash",
    "rrule": "when a silence recurs",
    "cron": "when a window is",
    "start_time": "a time of the day",
    "selector": "of labels",
    "schedule": "a cron expression",
    "key_id": "of a credential",
    "token_hash": "of a credential",
    "time_zone": "an IANA name",
    "scope_uid": "a reference",
    "type": "a plugin",
    "notifier": "a plugin",
    "service": "a plugin",
    "location": "where checks run",
    "lease_owner": "a process",
    "fingerprint": "a hash",
    "key_digest": "a hash",
    "request_digest": "a hash",
    "value": "a number as text",
    "expr": "PromQL; carries the mark in its matcher",
    "runbook_url": "a URL; carries the mark in its host",
    "email": "an address; carries the mark",
    "contact_point": "a reference by name",
    "fallback": "a reference by name",
    "fallback_of": "a reference",
    "template": "a program; carries the mark in its text",
    "receiver": "a reference by name",
    "group_name": "a reference by name",
    "rule_group": "a reference by name",
}
STATES: dict[type[models.Model], str] = {Alert: AlertState.FIRING}  # the first is not listed
MARKED_JSON = {"labels", "annotations", "evidence", "shared_labels", "group_labels"}


def owned_models() -> list[type[models.Model]]:
    """Return every model whose rows belong to an org."""
    return [model for model in apps.get_models() if issubclass(model, OrgOwned)]


def rows_of(model: Any, org: Org) -> Any:
    """Return the org's rows of one model."""
    return model.objects.for_org(org)


def rows_make(org: Org, mark: str) -> None:
    """Make a row of every org-owned model that has none yet in ``org``."""
    for model in _by_dependency():
        if not rows_of(model, org).exists():
            rows_of(model, org).create(org=org, **_required(model, org, mark))


def marks_put(org: Org, mark: str) -> None:
    """Write ``mark`` into every text and label map of the org's rows that no program reads."""
    for model in owned_models():
        changes: dict[str, Any] = {}
        for field in model._meta.concrete_fields:
            if _is_free_text(field):
                changes[field.name] = mark[: field.max_length]
            elif isinstance(field, models.JSONField) and field.name in MARKED_JSON:
                changes[field.name] = _words(mark)
        if changes:
            rows_of(model, org).update(**changes)


def _words(mark: str) -> dict[str, str]:
    return {"mark": mark, "alertname": mark}  # no alert is without its name


def _is_free_text(field: Any) -> bool:
    return (
        type(field) in {models.CharField, models.TextField}
        and not field.choices
        and not field.unique
        and field.name not in MACHINE_TEXTS
    )


def _by_dependency() -> list[type[models.Model]]:
    """Return the models so that what a row refers to comes first."""
    waiting, ordered = owned_models(), list[type[models.Model]]()
    while waiting:
        ready = [model for model in waiting if not _needs(model) & (set(waiting) - {model})]
        assert ready, f"these models refer to each other: {waiting}"
        ordered += ready
        waiting = [model for model in waiting if model not in ready]
    return ordered


def _needs(model: type[models.Model]) -> set[type[models.Model]]:
    return {
        field.related_model
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and isinstance(field.related_model, type)
    }


def _required(model: type[models.Model], org: Org, mark: str) -> dict[str, Any]:
    return {
        field.name: _value(field, org, mark)
        for field in model._meta.concrete_fields
        if not (field.primary_key and not field.is_relation)
        and field.name != "org"
        and not field.null
        and not field.has_default()
        and not getattr(field, "auto_now_add", False)
        and not getattr(field, "auto_now", False)
    }


def _value(field: Any, org: Org, mark: str) -> Any:
    if field.is_relation:
        return _related(field.related_model, org)
    if field.choices:
        return STATES.get(field.model, field.choices[0][0])
    if field.name == "name":
        return SHARED
    if field.name == "value":
        return "1"
    values: dict[type, Any] = {
        models.JSONField: _words(mark),
        models.DateTimeField: utc_now() + timedelta(hours=1),
        models.FloatField: 1.0,
        models.BooleanField: False,
        models.IntegerField: 1,
        models.CharField: mark[: field.max_length],
        models.TextField: mark,
    }
    return next(value for kind, value in values.items() if isinstance(field, kind))


def _related(model: Any, org: Org) -> Any:
    if model is User:
        return rows_of(Membership, org).get(name=SHARED).user
    rows = rows_of(model, org)
    names = {field.name for field in model._meta.get_fields()}
    shared = rows.filter(name=SHARED) if "name" in names else rows.none()
    return shared.first() or rows.first()
