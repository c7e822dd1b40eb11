"""Make and change orgs and folders."""

from collections.abc import Mapping
from typing import Any, Literal

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import RestrictedError

from apps.orgs.models import Folder, Org, Quota
from apps.orgs.selectors import QUOTA_FIELDS
from detectviz.contracts.schedules import ScheduleError, parse_timezone
from detectviz.events.bus import publish
from detectviz.events.types import OrgCreated, ResourceChanged
from detectviz.resources.errors import ConflictError, InvalidFieldsError, ResourceInUseError
from detectviz.resources.models import name_validator

API_VERSION = "core/v1"


@transaction.atomic
def org_create(*, name: str, title: str = "", actor: models.Model | None = None) -> Org:
    """Create an org with everything an org starts with (apps add it on OrgCreated).

    Raises InvalidFieldsError for a name that is no DNS-1123 label, ConflictError for a taken one.
    """
    try:
        name_validator(name)
    except ValidationError as error:
        raise InvalidFieldsError({"metadata.name": list(error.messages)}) from None
    try:
        with transaction.atomic():
            org = Org.objects.create(name=name, title=title)
    except IntegrityError:
        raise ConflictError(f"There is an organisation {name!r} already.") from None
    publish(OrgCreated(org_id=org.pk))
    _publish(org, actor, "create", before=None, after=org_envelope(org))
    return org


@transaction.atomic
def org_update(
    *,
    org: Org,
    title: str | None = None,
    is_active: bool | None = None,
    theme: str | None = None,
    time_zone: str | None = None,
    actor: models.Model | None = None,
) -> Org:
    """Change an org's title, theme or time zone, or switch it on or off (the platform's matter).

    What is None stays. A theme there is not changes nothing on pages until it is there. Raises
    InvalidFieldsError for what is no IANA time zone.
    """
    if time_zone is not None:
        _require_zone(time_zone)
    org = Org.objects.select_for_update().get(pk=org.pk)
    before = org_envelope(org)
    org.title = org.title if title is None else title
    org.theme = org.theme if theme is None else theme
    org.time_zone = org.time_zone if time_zone is None else time_zone
    if is_active is not None:
        org.is_active = is_active
    org.generation += 1
    org.resource_version += 1
    org.save()
    _publish(org, actor, "update", before=before, after=org_envelope(org))
    return org


@transaction.atomic
def org_delete(*, org: Org, actor: models.Model | None = None) -> None:
    """Delete an org with all it owns, its data keys included."""
    before = org_envelope(org)
    pk = org.pk
    try:
        org.delete()
    except RestrictedError as error:
        raise ResourceInUseError(
            f"The organisation {org.name!r} can't be deleted: {error}"
        ) from error
    org.pk = pk
    _publish(org, actor, "delete", before=before, after=None)


def folder_create(*, org: models.Model, name: str, title: str = "") -> Folder:
    """Create a folder."""
    folder: Folder = Folder.objects.create_for(org, name=name, title=title)
    return folder


def folder_update(*, folder: Folder, title: str) -> Folder:
    """Change a folder's title."""
    folder.title = title
    folder.save(update_fields=["title", "updated_at"])
    return folder


def quota_write(
    *, org: models.Model, name: str, limits: Mapping[str, int | None], instance: Quota | None
) -> Quota:
    """Set an org's limits; what ``limits`` leaves out or has None is the platform's default."""
    values = {field: limits.get(field) for field in QUOTA_FIELDS}
    if instance is None:
        made: Quota = Quota.objects.create_for(org, name=name, **values)
        return made
    for field, value in values.items():
        setattr(instance, field, value)
    instance.save(update_fields=[*values, "updated_at"])
    return instance


def org_envelope(org: Org) -> dict[str, Any]:
    """Return the envelope of an org: the one kind that belongs to no org."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Org",
        "metadata": {
            "name": org.name,
            "uid": org.uid,
            "resource_version": org.resource_version,
            "generation": org.generation,
            "created_at": org.created_at.isoformat(timespec="milliseconds"),
            "updated_at": org.updated_at.isoformat(timespec="milliseconds"),
        },
        "spec": {
            "title": org.title,
            "is_active": org.is_active,
            "theme": org.theme,
            "time_zone": org.time_zone,
        },
        "status": {},
    }


def _require_zone(name: str) -> None:
    try:
        parse_timezone(name)
    except ScheduleError as error:
        raise InvalidFieldsError({"spec.time_zone": [str(error)]}) from error


def _publish(
    org: Org,
    actor: models.Model | None,
    action: Literal["create", "update", "delete"],
    *,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    publish(
        ResourceChanged(
            org_id=None if action == "delete" else org.pk,
            actor_id=actor.pk if actor else None,
            action=action,
            api_version=API_VERSION,
            kind="Org",
            name=org.name,
            uid=org.uid,
            before=before,
            after=after,
        )
    )
