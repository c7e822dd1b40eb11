"""The one way to write or delete a resource, whoever asks: API, page, YAML or command line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import ProtectedError, RestrictedError

from detectviz.crypto.fields import EncryptedJSONField
from detectviz.events.bus import publish
from detectviz.events.types import ResourceChanged
from detectviz.permissions.requests import actor_access
from detectviz.resources.envelope import envelope_of, label_errors, metadata_of
from detectviz.resources.errors import (
    ConflictError,
    InvalidFieldsError,
    NotFoundError,
    ResourceInUseError,
)
from detectviz.resources.models import NAME_MESSAGE, ResourceModel, is_name
from detectviz.resources.registry import ResourceKind, Write
from detectviz.resources.validation import validate_spec

T = TypeVar("T")
Mode = Literal["create", "update", "upsert"]
Outcome = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """The row as it now is, and what became of it."""

    instance: Any
    outcome: Outcome


@transaction.atomic
def resource_write(
    kind: ResourceKind[Any],
    *,
    org: models.Model,
    actor: models.Model | None,
    name: str,
    spec: object,
    labels: Mapping[str, str] | None = None,
    folder: str | None = None,
    resource_version: int | None = None,
    mode: Mode = "upsert",
) -> WriteResult:
    """Create or update one resource.

    ``labels`` of None keep what is there; ``folder`` is a name, "" for none, None to keep.
    Raises InvalidFieldsError, NotFoundError, ConflictError (stale ``resource_version``).
    """
    instance = _locked(kind, org, name)
    _check_mode(kind, instance, name=name, mode=mode, resource_version=resource_version)
    errors = label_errors(labels)
    if errors:
        raise InvalidFieldsError(errors)
    before = envelope_of(kind, instance) if instance else None
    secrets_before = _secrets_of(instance)
    change = Write(
        org=org,
        actor=actor,
        name=name,
        labels=labels if labels is not None else (instance.labels if instance else {}),
        folder=_folder(kind, org, folder, instance),
        spec=validate_spec(kind, org=org, instance=instance, spec=spec),
        instance=instance,
    )
    if instance is not None:
        _require_move(change, kind)
    try:
        with transaction.atomic():
            written = kind.write(change)
    except IntegrityError as error:
        raise ConflictError(
            f"{kind.kind} {name!r} was created by somebody else meanwhile."
        ) from error
    return _finish(kind, change, written, before, secrets_before=secrets_before)


def _finish(
    kind: ResourceKind[Any],
    change: Write[Any],
    written: ResourceModel,
    before: dict[str, Any] | None,
    *,
    secrets_before: dict[str, dict[str, str]],
) -> WriteResult:
    """Set the envelope's own fields, count versions and tell the others."""
    written.labels = dict(change.labels)
    if kind.has_folder:
        written.folder_id = change.folder.pk if change.folder else None
    spec_changed = (
        before is None
        or before["spec"] != kind.to_spec(written)
        or secrets_before != _secrets_of(written)
    )
    metadata = metadata_of(written)
    metadata_changed = before is not None and any(
        before["metadata"].get(key) != metadata.get(key) for key in ("labels", "folder")
    )
    if not spec_changed and not metadata_changed:
        return WriteResult(instance=written, outcome="unchanged")
    if before is not None:
        written.resource_version += 1
        written.generation += int(spec_changed)
    written.save()
    after = envelope_of(kind, written)
    _publish(kind, org=change.org, actor=change.actor, before=before, after=after)
    return WriteResult(instance=written, outcome="updated" if before else "created")


@transaction.atomic
def resource_delete(
    kind: ResourceKind[Any],
    *,
    org: models.Model,
    actor: models.Model | None,
    name: str,
    resource_version: int | None = None,
) -> None:
    """Delete one resource; raise NotFoundError, ConflictError or ResourceInUseError."""
    instance = _locked(kind, org, name)
    if instance is None:
        raise NotFoundError
    _check_version(kind, instance, resource_version)
    before = envelope_of(kind, instance)
    try:
        kind.remove(instance, actor=actor)
    except (ProtectedError, RestrictedError) as error:
        raise ResourceInUseError(f"{kind.kind} {name!r} is still used by others.") from error
    _publish(kind, org=org, actor=actor, before=before, after=None)


@transaction.atomic
def resource_act(
    kind: ResourceKind[Any],
    *,
    org: models.Model,
    actor: models.Model | None,
    name: str,
    verb: str,
    act: Callable[[Any], T],
) -> T:
    """Do something to one resource that is no write of its spec, and tell audit and events.

    ``act`` gets the locked row and its answer is returned; ``verb`` names it (``expire`` becomes
    the audit's ``silence.expire``). Raises NotFoundError, and what ``act`` raises.
    """
    instance = _locked(kind, org, name)
    if instance is None:
        raise NotFoundError
    before = envelope_of(kind, instance)
    answer = act(instance)
    after = envelope_of(kind, kind.queryset(org).get(pk=instance.pk))
    _publish(kind, org=org, actor=actor, before=before, after=after, verb=verb)
    return answer


def _locked(kind: ResourceKind[Any], org: models.Model, name: str) -> Any:
    # FOR UPDATE OF self: nullable joins of the kind's queryset cannot be locked on PostgreSQL.
    return kind.queryset(org).select_for_update(of=("self",)).filter(name=name).first()


def _check_mode(
    kind: ResourceKind[Any],
    instance: ResourceModel | None,
    *,
    name: str,
    mode: Mode,
    resource_version: int | None,
) -> None:
    if not is_name(name):
        raise InvalidFieldsError({"metadata.name": [NAME_MESSAGE]})
    if kind.singleton_name and name != kind.singleton_name:
        raise InvalidFieldsError(
            {"metadata.name": [f"There is one per org, named {kind.singleton_name}."]}
        )
    if instance is None:
        if mode == "update" or resource_version is not None:
            raise NotFoundError
        return
    if mode == "create":
        raise ConflictError(f"{kind.kind} {name!r} exists already; PUT updates it.")
    _check_version(kind, instance, resource_version)


def _check_version(
    kind: ResourceKind[Any], instance: ResourceModel, resource_version: int | None
) -> None:
    if resource_version is not None and resource_version != instance.resource_version:
        raise ConflictError(
            f"{kind.kind} {instance.name!r} is at resource_version {instance.resource_version}, "
            f"you have {resource_version}: read it again and redo your change."
        )


def _require_move(change: Write[Any], kind: ResourceKind[Any]) -> None:
    """Moving into a folder (or out, to the org) is creating there: its keepers gain the object."""
    target = change.folder
    was = change.instance.folder_id if change.instance and kind.has_folder else None
    if kind.has_folder and was != (target.pk if target else None):
        actor_access(change.actor, change.org).require(f"{kind.permission}:create", target)


def _folder(
    kind: ResourceKind[Any], org: models.Model, folder: str | None, instance: ResourceModel | None
) -> Any:
    if folder is None:
        return instance.folder if instance else None
    if folder == "":
        return None
    if not kind.has_folder:
        raise InvalidFieldsError({"metadata.folder": [f"A {kind.kind} can't lie in a folder."]})
    found = folder_get(org, folder)
    if found is None:
        raise InvalidFieldsError({"metadata.folder": [f"There is no folder {folder!r}."]})
    return found


def folder_get(org: models.Model, name: str | None) -> Any | None:
    """Return the org's folder called ``name``, if there is one."""
    if not name:
        return None
    model = apps.get_model(settings.DETECTVIZ_FOLDER_MODEL)
    return model.objects.for_org(org).filter(name=name).first()


def folder_names(org: models.Model) -> list[str]:
    """Return the names of the org's folders, in order."""
    model = apps.get_model(settings.DETECTVIZ_FOLDER_MODEL)
    return list(model.objects.for_org(org).order_by("name").values_list("name", flat=True))


def _secrets_of(instance: ResourceModel | None) -> dict[str, dict[str, str]]:
    """Return the decrypted secrets of a row: what to_spec can't show as a change."""
    if instance is None:
        return {}
    fields = [item for item in instance._meta.fields if isinstance(item, EncryptedJSONField)]
    return {item.name: dict(getattr(instance, item.name)) for item in fields}


def _publish(
    kind: ResourceKind[Any],
    *,
    org: models.Model,
    actor: models.Model | None,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    verb: str = "",
) -> None:
    action: Literal["create", "update", "delete"] = "update"
    if before is None or after is None:
        action = "create" if before is None else "delete"
    subject = after or before or {}
    publish(
        ResourceChanged(
            org_id=org.pk,
            actor_id=actor.pk if actor else None,
            action=action,
            api_version=kind.api_version,
            kind=kind.kind,
            name=subject["metadata"]["name"],
            uid=subject["metadata"]["uid"],
            before=before,
            after=after,
            verb=verb,
        )
    )
