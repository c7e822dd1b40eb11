"""Users, members, teams and grants for tests."""

from collections.abc import Sequence

from django.contrib.auth.models import Group
from django.db import models

from apps.accounts.models import Membership, Team, User
from apps.orgs.models import Org
from detectviz.permissions.grants import grants_replace
from detectviz.permissions.table import BUILTIN_ROLES

PASSWORD = "Correct-horse-7"


def make_user(username: str = "alice", *, is_superuser: bool = False) -> User:
    """Return a person who belongs to no org."""
    return User.objects.create_user(
        username,
        f"{username}@example.org",
        PASSWORD,
        is_superuser=is_superuser,
        is_staff=is_superuser,
    )


def make_member(org: Org, username: str = "alice", role: str = "") -> User:
    """Return a member of ``org`` with the grants of a built-in role (none when empty)."""
    user = User.objects.filter(username=username).first() or make_user(username)
    Membership.objects.create_for(org, user=user, name=username)
    if role:
        grant(user, org, BUILTIN_ROLES[role])
    return user


def make_team(org: Org, name: str, *users: User) -> Team:
    """Return a team of ``org`` with these members."""
    group = Group.objects.create(name=f"team-{org.name}-{name}")
    group.user_set.add(*users)
    team: Team = Team.objects.create_for(org, name=name, group=group)
    return team


def grant(subject: models.Model, obj: models.Model, patterns: Sequence[str]) -> None:
    """Grant patterns on an object to a user or a group."""
    grants_replace(subject, obj, revoked=(), granted=patterns)
