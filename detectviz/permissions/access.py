"""What one user may do in one org, as a value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, TypeVar

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Group
from django.contrib.contenttypes.models import ContentType
from django.db import models

from detectviz.permissions.grants import group_grants, user_grants
from detectviz.permissions.patterns import NOTHING, PermissionSet
from detectviz.permissions.table import ALL_PERMISSIONS
from detectviz.resources.errors import ForbiddenError, NotFoundError

M = TypeVar("M", bound=models.Model)
ObjectKey = tuple[int, str]  # content type id, primary key as text


class Principal(Protocol):
    """What an access is computed for: Django's user model, or AnonymousUser."""

    @property
    def pk(self) -> Any:
        """The primary key; None for the anonymous user."""

    @property
    def is_active(self) -> bool:
        """Inactive users may do nothing."""

    @property
    def is_superuser(self) -> bool:
        """Platform administrators may do everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The permissions of one user in one org, at org, folder and object level.

    ``scopes`` are an API key's: a permission must be granted and in scope. Ask ``allows`` with the
    object (a folder when creating inside it), ``allows_somewhere`` for menus and lists.
    """

    org_id: int
    is_member: bool
    is_superuser: bool = False
    org_grants: PermissionSet = NOTHING
    folder_grants: Mapping[int, PermissionSet] = field(default_factory=dict)
    object_grants: Mapping[ObjectKey, PermissionSet] = field(default_factory=dict)
    scopes: PermissionSet | None = None

    def allows(self, permission: str, obj: models.Model | None = None) -> bool:
        """Tell whether ``permission`` holds in the org, in ``obj``'s folder or on ``obj``."""
        if not self.is_in_scope(permission) or not self.is_own(obj):
            return False
        if self.is_superuser or self.org_grants.allows(permission):
            return True
        return obj is not None and any(grants.allows(permission) for grants in self.grants_on(obj))

    def allows_somewhere(self, permission: str) -> bool:
        """Tell whether ``permission`` holds in the org or anywhere inside it."""
        if self.allows(permission):
            return True
        inner = (*self.folder_grants.values(), *self.object_grants.values())
        return self.is_in_scope(permission) and any(set_.allows(permission) for set_ in inner)

    def filter(self, queryset: models.QuerySet[M], permission: str) -> models.QuerySet[M]:
        """Return the rows of the org on which ``permission`` holds."""
        model = queryset.model
        own = queryset.filter(**{_org_lookup(model): self.org_id})
        if self.allows(permission):
            return own
        if not self.is_in_scope(permission):
            return queryset.none()
        granted = models.Q(pk__in=self.object_pks(model, permission))
        if (folder := _folder_lookup(model)) is not None:
            granted |= models.Q(**{f"{folder}__in": self.folder_ids(permission)})
        return own.filter(granted)

    def require(self, permission: str, obj: models.Model | None = None) -> None:
        """Raise NotFoundError for a non-member, ForbiddenError for a member without permission."""
        if self.allows(permission, obj):
            return
        self.require_membership()
        if not self.is_own(obj):
            raise NotFoundError
        raise ForbiddenError(
            f"This needs the permission {permission}. Ask an administrator of the organisation."
        )

    def require_membership(self) -> None:
        """Raise NotFoundError for everyone who is not in the org: it does not exist for them."""
        if not (self.is_member or self.is_superuser):
            raise NotFoundError

    def covers(self, patterns: Iterable[str], obj: models.Model | None = None) -> bool:
        """Tell whether everything the patterns grant is held here: nobody gives what they lack."""
        wanted = PermissionSet(patterns)
        return all(
            self.allows(permission, obj)
            for permission in ALL_PERMISSIONS
            if wanted.allows(permission)
        )

    def covers_access(self, other: "Access") -> bool:
        """Tell whether everything ``other`` may do, this may do too."""
        if other.is_superuser:
            return self.is_superuser and self.scopes is None
        return all(self._covers_permission(other, permission) for permission in ALL_PERMISSIONS)

    def is_in_scope(self, permission: str) -> bool:
        """Tell whether the API key's scopes, if any, include ``permission``."""
        return self.scopes is None or self.scopes.allows(permission)

    def is_own(self, obj: models.Model | None) -> bool:
        """Tell whether ``obj`` is the org itself or belongs to it."""
        if obj is None:
            return True
        owner: int | None = getattr(obj, _org_lookup(type(obj)))
        return owner == self.org_id

    def grants_on(self, obj: models.Model) -> list[PermissionSet]:
        """Return the grants on an object and on its folder (a folder is its own)."""
        lookup = _folder_lookup(type(obj))
        folder_id: int | None = getattr(obj, lookup) if lookup else None
        return [
            NOTHING if folder_id is None else self.folder_grants.get(folder_id, NOTHING),
            self.object_grants.get(object_key(obj), NOTHING),
        ]

    def folder_ids(self, permission: str) -> list[int]:
        """Return the folders in which ``permission`` was granted."""
        return [pk for pk, grants in self.folder_grants.items() if grants.allows(permission)]

    def object_pks(self, model: type[models.Model], permission: str) -> list[str]:
        """Return the objects of one model on which ``permission`` was granted."""
        type_id = ContentType.objects.get_for_model(model).pk
        return [
            pk
            for (content_type_id, pk), grants in self.object_grants.items()
            if content_type_id == type_id and grants.allows(permission)
        ]

    def _covers_permission(self, other: "Access", permission: str) -> bool:
        if self.allows(permission) or not other.is_in_scope(permission):
            return True
        if other.org_grants.allows(permission) or not self.is_in_scope(permission):
            return not other.allows_somewhere(permission)
        folders = set(other.folder_ids(permission)) <= set(self.folder_ids(permission))
        return folders and all(
            self.object_grants.get(key, NOTHING).allows(permission)
            for key, grants in other.object_grants.items()
            if grants.allows(permission)
        )


def access_of(
    user: Principal | AnonymousUser,
    org: models.Model,
    scopes: Iterable[str] | None = None,
) -> Access:
    """Return what ``user`` may do in ``org``; an API key passes its ``scopes``.

    Three queries for a member, one for a stranger, none for a platform administrator or anyone
    inactive.
    """
    limit = None if scopes is None else PermissionSet(scopes)
    if user.pk is None or not user.is_active or not getattr(org, "is_active", True):
        return Access(org_id=org.pk, is_member=False)
    if user.is_superuser:
        return Access(org_id=org.pk, is_member=True, is_superuser=True, scopes=limit)
    if not _memberships().objects.for_org(org).filter(user_id=user.pk, is_active=True).exists():
        return Access(org_id=org.pk, is_member=False)
    teams = _teams().objects.for_org(org).filter(group__user=user.pk).values("group_id")
    return _access(org, [*user_grants(user.pk), *group_grants(teams)], limit)


def access_of_group(group: Group, org: models.Model) -> Access:
    """Return what a team's group brings to each of its members in ``org``."""
    return _access(org, group_grants([group.pk]), None)


def object_key(obj: models.Model) -> ObjectKey:
    """Return how an object is named in ``object_grants``."""
    return ContentType.objects.get_for_model(obj).pk, str(obj.pk)


def _access(
    org: models.Model, grants: Iterable[tuple[int, str, str]], scopes: PermissionSet | None
) -> Access:
    patterns: dict[ObjectKey, set[str]] = {}
    for content_type_id, pk, pattern in grants:
        patterns.setdefault((content_type_id, pk), set()).add(pattern)
    org_patterns = patterns.pop(object_key(org), set())
    org_type = ContentType.objects.get_for_model(org).pk
    folder_type = ContentType.objects.get_for_model(_folders()).pk
    return Access(
        org_id=org.pk,
        is_member=True,
        org_grants=PermissionSet(org_patterns),
        folder_grants={
            int(pk): PermissionSet(found)
            for (type_id, pk), found in patterns.items()
            if type_id == folder_type
        },
        object_grants={
            key: PermissionSet(found)
            for key, found in patterns.items()
            if key[0] not in {folder_type, org_type}
        },
        scopes=scopes,
    )


def _org_lookup(model: type[models.Model]) -> str:
    return "pk" if model._meta.label == settings.DETECTVIZ_ORG_MODEL else "org_id"


@cache
def _folder_lookup(model: type[models.Model]) -> str | None:
    if model._meta.label == settings.DETECTVIZ_FOLDER_MODEL:
        return "pk"
    has_folder = any(each.name == "folder" for each in model._meta.fields)
    return "folder_id" if has_folder else None


def _memberships() -> Any:
    return apps.get_model(settings.DETECTVIZ_MEMBERSHIP_MODEL)


def _teams() -> Any:
    return apps.get_model(settings.DETECTVIZ_TEAM_MODEL)


def _folders() -> type[models.Model]:
    return apps.get_model(settings.DETECTVIZ_FOLDER_MODEL)
