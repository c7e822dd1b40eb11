"""A second datasource like a first."""

from itertools import count
from typing import Any, Final

from django.db import models

from apps.datasources.models import Datasource
from detectviz.resources.registry import ResourceKind
from detectviz.resources.services import resource_write

_LONGEST: Final = 63
_COPIED: Final = ("type", "access", "url", "user", "database", "basic_auth", "basic_auth_user")


def datasource_clone(
    *,
    kind: ResourceKind[Any],
    org: models.Model,
    actor: models.Model | None,
    source: Datasource,
    name: str = "",
) -> Datasource:
    """Return a copy with its secrets: neither the default nor read-only, with a uid of its own.

    Without ``name`` it is called after its source. The secrets stay bound to the host they were
    entered for. Raise ConflictError for a name that is taken.
    """
    written = resource_write(
        kind,
        org=org,
        actor=actor,
        name=name or _free_name(org, source.name),
        spec={
            "title": f"Copy of {source.title or source.name}"[:200],
            **{field: getattr(source, field) for field in _COPIED},
            "json_data": dict(source.json_data),
            "secure_json_data": dict(source.secure_json_data),
        },
        labels=dict(source.labels),
        folder=source.folder.name if source.folder else "",
        mode="create",
    )
    clone: Datasource = written.instance
    return clone


def _free_name(org: models.Model, name: str) -> str:
    rows = Datasource.objects.for_org(org)
    taken = {word for pair in rows.values_list("name", "uid") for word in pair}
    for number in count(1):
        ending = "-copy" if number == 1 else f"-copy-{number}"
        candidate = name[: _LONGEST - len(ending)].rstrip("-") + ending
        if candidate not in taken:
            return candidate
    raise AssertionError(name)
