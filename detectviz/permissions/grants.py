"""Grants: rows of django-guardian saying that a user or a group holds a pattern on an object."""

from collections.abc import Collection, Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import models
from guardian.models import (  # noqa: TID251 - this package is the one that speaks to guardian
    GroupObjectPermission,
    UserObjectPermission,
)

from detectviz.permissions.memory import access_changed

Grant = tuple[int, str, str]  # content type id, object primary key as text, pattern
_COLUMNS = ("content_type_id", "object_pk", "permission__codename")


def user_grants(user_pk: int) -> list[Grant]:
    """Return everything granted to a user directly; one query."""
    return list(
        UserObjectPermission.objects.filter(
            user_id=user_pk, permission__codename__contains=":"
        ).values_list(*_COLUMNS)
    )


def group_grants(groups: Iterable[int] | models.QuerySet[Any, Any]) -> list[Grant]:
    """Return everything granted to some groups; one query."""
    return list(
        GroupObjectPermission.objects.filter(
            group_id__in=groups, permission__codename__contains=":"
        ).values_list(*_COLUMNS)
    )


def grants_replace(
    subject: models.Model, obj: models.Model, *, revoked: Collection[str], granted: Collection[str]
) -> None:
    """Take ``revoked`` patterns on ``obj`` from a user or group and give it ``granted`` ones.

    A pattern in both stays. What was granted by other means is left alone.
    """
    manager, owner = _manager_of(subject)
    content_type = ContentType.objects.get_for_model(obj)
    mine = {"content_type": content_type, "object_pk": str(obj.pk), owner: subject}
    rows = manager.filter(**mine)
    access_changed()
    rows.filter(permission__codename__in=set(revoked) - set(granted)).delete()
    held = set(rows.values_list("permission__codename", flat=True))
    manager.bulk_create(
        [
            manager.model(permission=permission, **mine)
            for permission in _permissions(content_type, set(granted) - held)
        ],
        ignore_conflicts=True,
    )


def grants_clear(obj: models.Model) -> None:
    """Delete every grant on an object; guardian leaves them behind when the object is deleted."""
    access_changed()
    mine = {
        "content_type": ContentType.objects.get_for_model(obj),
        "object_pk": str(obj.pk),
    }
    UserObjectPermission.objects.filter(**mine).delete()
    GroupObjectPermission.objects.filter(**mine).delete()


def grants_of_group_clear(group: Group) -> None:
    """Delete every grant of a group."""
    access_changed()
    GroupObjectPermission.objects.filter(group=group).delete()


def _manager_of(subject: models.Model) -> tuple[Any, str]:
    if isinstance(subject, Group):
        return GroupObjectPermission.objects, "group"
    return UserObjectPermission.objects, "user"


def _permissions(content_type: ContentType, patterns: Collection[str]) -> list[Permission]:
    """Return the permissions of these names, made where nobody was granted them before."""
    if not patterns:
        return []
    named = Permission.objects.filter(content_type=content_type, codename__in=patterns)
    known = set(named.values_list("codename", flat=True))
    Permission.objects.bulk_create(
        [
            Permission(content_type=content_type, codename=pattern, name=f"Can {pattern}")
            for pattern in sorted(set(patterns) - known)
        ],
        ignore_conflicts=True,  # somebody else made them meanwhile
    )
    return list(named.order_by("codename"))
