"""Users, members, teams and grants for tests."""

from collections.abc import Sequence

from django.contrib.auth.models import Group
from django.db import models

from apps.accounts.models import ApiKey, Membership, Role, Team, User
from apps.accounts.services.apikeys import EVERYTHING, KeyTerms, apikey_create
from apps.accounts.services.bindings import BindingChange, binding_create
from apps.accounts.services.users import membership_add
from apps.orgs.models import Org
from apps.orgs.services import org_create
from detectviz.permissions.grants import grants_replace
from detectviz.permissions.table import BUILTIN_ROLES
from detectviz.resources.models import ResourceModel, new_uid

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


def bind(
    role_name: str, subject: User | Team, org: Org, scope: ResourceModel | None = None
) -> None:
    """Bind a role of ``org`` to somebody, as the system."""
    role = Role.objects.for_org(org).get(name=role_name)
    name = f"b-{new_uid()}"
    change = BindingChange(role=role, subject=subject, scope=scope)
    binding_create(org=org, name=name, change=change, actor=None)


def make_full_org(name: str = "acme") -> Org:
    """Return an org with its built-in roles and an administrator called ``<name>-admin``."""
    org = org_create(name=name, title=name.title())
    make_bound_member(org, f"{name}-admin", "admin")
    return org


def make_bound_member(org: Org, username: str, role_name: str = "") -> User:
    """Return a member with a role binding (none when empty)."""
    user = User.objects.filter(username=username).first() or make_user(username)
    role = Role.objects.for_org(org).get(name=role_name) if role_name else None
    membership_add(org=org, user=user, role=role, actor=None)
    return user


def make_api_key(org: Org, user: User, *scopes: str, name: str = "key") -> ApiKey:
    """Return a key of ``user`` with its token on ``.token``."""
    terms = KeyTerms(scopes=scopes or EVERYTHING)
    return apikey_create(org=org, name=name, user=user, terms=terms, actor=None)
