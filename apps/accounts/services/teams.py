"""Teams and their members."""

from collections.abc import Collection

from django.contrib.auth.models import Group
from django.db import models, transaction

from apps.accounts.errors import EscalationError
from apps.accounts.models import Membership, Team, User
from apps.accounts.services.bindings import admin_kept
from detectviz.permissions.access import access_of_group
from detectviz.permissions.requests import actor_access
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.models import new_uid


@transaction.atomic
def team_create(
    *,
    org: models.Model,
    name: str,
    title: str = "",
    members: Collection[str] = (),
    actor: models.Model | None,
) -> Team:
    """Create a team of members of the org, named by their membership's name."""
    uid = new_uid()
    group = Group.objects.create(name=f"team:{uid}")
    team: Team = Team.objects.create_for(org, uid=uid, name=name, title=title, group=group)
    group.user_set.set(_users(org, members))
    return team


@transaction.atomic
def team_update(
    *, team: Team, title: str, members: Collection[str], actor: models.Model | None
) -> Team:
    """Change a team. Whoever changes its members must hold all the team was granted."""
    users = _users(team.org, members)
    if {user.pk for user in users} != set(team.members.values_list("pk", flat=True)):
        _require_cover(team, actor)
        with admin_kept(team.org):
            team.group.user_set.set(users)
    team.title = title
    team.save(update_fields=["title", "updated_at"])
    return team


@transaction.atomic
def team_delete(*, team: Team, actor: models.Model | None) -> None:
    """Delete a team with its bindings and grants."""
    _require_cover(team, actor)
    with admin_kept(team.org):
        team.delete()


def team_leave_all(*, org: models.Model, user: User) -> None:
    """Take a user out of every team of an org."""
    groups = Team.objects.for_org(org).filter(group__user=user).values("group_id")
    user.groups.remove(*Group.objects.filter(pk__in=groups))


def _require_cover(team: Team, actor: models.Model | None) -> None:
    org = team.org
    if not actor_access(actor, org).covers_access(access_of_group(team.group, org)):
        raise EscalationError


def _users(org: models.Model, names: Collection[str]) -> list[User]:
    rows = Membership.objects.for_org(org).filter(name__in=names, user__kind="person")
    found = {row.name: row.user for row in rows.select_related("user")}
    problems = {
        f"spec.members[{index}]": [f"There is no user {name!r} in this organisation."]
        for index, name in enumerate(names)
        if name not in found
    }
    if problems:
        raise InvalidFieldsError(problems)
    return list(found.values())
