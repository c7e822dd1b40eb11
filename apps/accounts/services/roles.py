"""Roles: named sets of permission patterns."""

from collections.abc import Sequence

from django.db import models, transaction

from apps.accounts.errors import BuiltinRoleError
from apps.accounts.models import Role
from apps.accounts.services.bindings import require_cover, role_rematerialise
from detectviz.permissions.patterns import pattern_problem
from detectviz.permissions.table import BUILTIN_ROLES
from detectviz.resources.errors import InvalidFieldsError

TITLES = {"admin": "Administrator", "operator": "Operator", "viewer": "Viewer"}


def roles_create_builtin(*, org: models.Model) -> None:
    """Give an org the built-in roles; bring them up to date where they exist."""
    for name, patterns in BUILTIN_ROLES.items():
        role, created = Role.objects.for_org(org).get_or_create(
            name=name,
            defaults={
                "org": org,
                "title": TITLES[name],
                "is_builtin": True,
                "permissions": list(patterns),
            },
        )
        if not created and role.permissions != list(patterns):
            before = role.permissions
            role.permissions = list(patterns)
            role.save(update_fields=["permissions", "updated_at"])
            role_rematerialise(role=role, before=before)


@transaction.atomic
def role_create(
    *,
    org: models.Model,
    name: str,
    permissions: Sequence[str],
    title: str = "",
    description: str = "",
    actor: models.Model | None,
) -> Role:
    """Create a role; raise EscalationError for permissions the actor lacks in the whole org."""
    patterns = checked_patterns(permissions)
    require_cover(actor, org, patterns)
    role: Role = Role.objects.create_for(
        org, name=name, title=title, description=description, permissions=patterns
    )
    return role


@transaction.atomic
def role_update(
    *,
    role: Role,
    permissions: Sequence[str],
    title: str,
    description: str,
    actor: models.Model | None,
) -> Role:
    """Change a role and everybody's grants; the actor must hold both the old and the new ones."""
    if role.is_builtin:
        raise BuiltinRoleError
    before = list(role.permissions)
    patterns = checked_patterns(permissions)
    require_cover(actor, role.org, [*before, *patterns])
    role.title, role.description, role.permissions = title, description, patterns
    role.save()
    role_rematerialise(role=role, before=before)
    return role


def role_delete(*, role: Role, actor: models.Model | None) -> None:
    """Delete a role nobody has; the actor must hold all of it."""
    if role.is_builtin:
        raise BuiltinRoleError
    require_cover(actor, role.org, role.permissions)
    role.delete()


def checked_patterns(permissions: Sequence[str]) -> list[str]:
    """Return the patterns sorted and without repetition; name what is wrong with one."""
    problems = {
        f"spec.permissions[{index}]": [problem]
        for index, pattern in enumerate(permissions)
        if (problem := pattern_problem(pattern))
    }
    if problems:
        raise InvalidFieldsError(problems)
    return sorted(set(permissions))
