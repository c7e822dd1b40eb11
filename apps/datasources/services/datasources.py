"""Making, changing and deleting datasources."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any

from django.db import models, transaction
from django.db.models import F, Q

from apps.datasources.errors import ReadOnlyError
from apps.datasources.models import Datasource
from apps.datasources.selectors.resolution import resolution_forget
from apps.datasources.services.connection import datasource_configuration
from apps.datasources.services.instances import instances_retire
from apps.datasources.services.uses import unused_require
from apps.extensions.services import StoredConfiguration, manifest_require
from detectviz.contracts.types import PluginKind
from detectviz.events.bus import publish
from detectviz.events.types import ResourceChanged
from detectviz.resources.errors import ConflictError, InvalidFieldsError

_provisioning: ContextVar[str | None] = ContextVar("detectviz_provisioning", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasourceDraft:
    """The wanted values of a datasource, validated field by field but not yet by the plugin.

    ``uid`` of "" means the one there is, or a new one; ``secure_json_data`` is as it was written
    (text, null, ``{"set": true}``).
    """

    name: str
    labels: Mapping[str, str]
    folder: models.Model | None
    title: str
    type: str
    uid: str = ""
    access: str = "proxy"
    url: str = ""
    user: str = ""
    database: str = ""
    basic_auth: bool = False
    basic_auth_user: str = ""
    is_default: bool = False
    read_only: bool = False
    json_data: Mapping[str, Any]
    secure_json_data: Mapping[str, Any]


_FIELDS = tuple(each.name for each in fields(DatasourceDraft))
_GIVEN_BACK = frozenset({"labels", "folder"})  # the framework writes these
_CONNECTION = ("url", "user", "database", "basic_auth", "basic_auth_user")


@contextmanager
def provisioning_scope(source: str) -> Iterator[None]:
    """Let the block write read-only datasources; ``source`` is the file they come from."""
    token = _provisioning.set(source)
    try:
        yield
    finally:
        _provisioning.reset(token)


def draft_of(
    spec: Mapping[str, Any],
    *,
    name: str,
    labels: Mapping[str, str],
    folder: models.Model | None,
    instance: Datasource | None,
) -> DatasourceDraft:
    """Return the draft that a validated spec means; ``read_only`` left out keeps what is."""
    kept = {"read_only": instance.read_only if instance else False}
    return DatasourceDraft(name=name, labels=labels, folder=folder, **{**kept, **spec})


def datasource_write(
    *,
    org: models.Model,
    actor: models.Model | None,
    draft: DatasourceDraft,
    instance: Datasource | None,
) -> Datasource:
    """Create a datasource, or bring ``instance`` to the draft. Call it in a transaction.

    Raise InvalidFieldsError naming the field, ConflictError for a uid or a name that is taken,
    ReadOnlyError for a provisioned one that would change outside of provisioning.
    """
    manifest = manifest_require(kind=PluginKind.DATASOURCE, name=draft.type, path="spec.type")
    _check_identity(org, draft, instance)
    checked = datasource_configuration(
        manifest=manifest,
        connection={name: getattr(draft, name) for name in _CONNECTION},
        json_data=draft.json_data,
        secrets=draft.secure_json_data,
        stored=_stored(instance),
        stored_url=instance.url if instance else draft.url,
    )
    row = instance or Datasource(org_id=org.pk, name=draft.name)
    values = {name: getattr(draft, name) for name in _FIELDS}
    values |= {
        "uid": draft.uid or row.uid,
        "type": manifest.name,
        "labels": dict(draft.labels),
        "json_data": checked.config,
        "secure_json_data": checked.secrets,
        "provisioned_from": _provisioning.get() or row.provisioned_from,
    }
    changed = {name for name, value in values.items() if value != _comparable(row, name)}
    if instance is not None and not changed:
        return instance
    _require_writable(draft, instance)
    for name in values.keys() - _GIVEN_BACK:
        setattr(row, name, values[name])
    row.health_status, row.health_message, row.health_checked_at = "", "", None
    if row.is_default:
        _take_default(org, actor, row)
    row.save()
    _forget(row)
    return row


def datasource_delete(*, datasource: Datasource) -> None:
    """Delete a datasource.

    Raise ReadOnlyError for a provisioned one outside of provisioning, InUseError for one that
    something asks.
    """
    if datasource.read_only and _provisioning.get() is None:
        raise ReadOnlyError(datasource.name, datasource.provisioned_from)
    unused_require(datasource)
    _forget(datasource)
    datasource.delete()


def _stored(instance: Datasource | None) -> StoredConfiguration | None:
    if instance is None:
        return None
    return StoredConfiguration(
        plugin=instance.type, config=instance.json_data, secrets=instance.secure_json_data
    )


def _require_writable(draft: DatasourceDraft, instance: Datasource | None) -> None:
    if _provisioning.get() is not None:
        return
    if instance is not None and instance.read_only:
        raise ReadOnlyError(instance.name, instance.provisioned_from)
    if draft.read_only:
        raise InvalidFieldsError(
            {"spec.read_only": ["Only provisioning from a file sets this; leave it out."]}
        )


def _check_identity(org: models.Model, draft: DatasourceDraft, instance: Datasource | None) -> None:
    """Refuse a uid or name that is taken: either one may stand in a reference."""
    if instance is not None and draft.uid not in {"", instance.uid}:
        raise InvalidFieldsError(
            {"spec.uid": [f"It is {instance.uid} and stays so: what refers to it would be lost."]}
        )
    others = Datasource.objects.for_org(org)
    if instance is not None:
        others = others.exclude(pk=instance.pk)
    if draft.uid and others.filter(Q(uid=draft.uid) | Q(name=draft.uid)).exists():
        raise ConflictError(
            f"spec.uid: another datasource is called {draft.uid!r}; choose another."
        )
    if others.filter(uid=draft.name).exists():
        raise ConflictError(
            f"metadata.name: another datasource has the uid {draft.name!r}; choose another."
        )


def _take_default(org: models.Model, actor: models.Model | None, row: Datasource) -> None:
    """Let the one that was the default go; both change or none."""
    rows = Datasource.objects.for_org(org).filter(is_default=True).exclude(name=row.name)
    for other in rows.select_for_update():
        if other.read_only and _provisioning.get() is None:
            raise ReadOnlyError(other.name, other.provisioned_from)
        Datasource.objects.for_org(org).filter(pk=other.pk).update(
            is_default=False,
            resource_version=F("resource_version") + 1,
            generation=F("generation") + 1,
        )
        metadata = {"name": other.name, "uid": other.uid}
        publish(
            ResourceChanged(
                org_id=org.pk,
                actor_id=actor.pk if actor else None,
                action="update",
                api_version="datasources/v1",
                kind="Datasource",
                name=other.name,
                uid=other.uid,
                before={"metadata": metadata, "spec": {"is_default": True}},
                after={"metadata": metadata, "spec": {"is_default": False}},
            )
        )


def _forget(row: Datasource) -> None:
    """Have this process forget what it resolved: now, and again once others can see the change."""
    org_id, uid = row.org_id, row.uid
    resolution_forget(org_id)

    def forget() -> None:
        resolution_forget(org_id)
        instances_retire(org_id=org_id, uid=uid)

    transaction.on_commit(forget)


def _comparable(row: Datasource, name: str) -> Any:
    value = getattr(row, name)
    return dict(value) if isinstance(value, Mapping) else value
