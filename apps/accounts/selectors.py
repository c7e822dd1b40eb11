"""Ask for people, programs and what they were given."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import models

from apps.accounts.enums import UserKind
from apps.accounts.models import (
    ApiKey,
    Invitation,
    Membership,
    Role,
    RoleBinding,
    ServiceAccount,
    Team,
    User,
)
from apps.orgs.models import Org
from apps.orgs.selectors import org_list
from detectviz.resources.errors import NotFoundError
from detectviz.tenancy.context import all_orgs_scope


def _member_name(org: models.Model, user: str) -> models.Subquery:
    rows = Membership.objects.for_org(org).filter(user_id=models.OuterRef(user))
    return models.Subquery(rows.values("name")[:1])


def org_list_of(user: User | AnonymousUser) -> models.QuerySet[Org]:
    """Return the active orgs a user may enter: all for a platform administrator."""
    orgs = org_list()
    if user.pk is None or not user.is_active:
        return orgs.none()
    if user.is_superuser:
        return orgs
    mine = Membership.objects.across_orgs(reason="the orgs of one user are many orgs")
    return orgs.filter(pk__in=mine.filter(user_id=user.pk, is_active=True).values("org_id"))


def user_get_by_name(username: str) -> User | None:
    """Return the user of this name, however it is capitalised."""
    return User.objects.filter(username__iexact=username).first()


def username_get(user_id: int) -> str | None:
    """Return the name of the user of this primary key."""
    return User.objects.filter(pk=user_id).values_list("username", flat=True).first()


def org_ids_joined(user: User) -> list[int]:
    """Return the primary keys of the orgs a user is an active member of."""
    mine = Membership.objects.across_orgs(reason="the orgs of one user are many orgs")
    active = mine.filter(user=user, is_active=True, org__is_active=True)
    with all_orgs_scope(reason="what happens to a person is told in each of their orgs"):
        return list(active.order_by("org_id").values_list("org_id", flat=True))


def home_org(user: User) -> Org | None:
    """Return the org to open for a user: the preferred one while they belong to it."""
    orgs = org_list_of(user)
    return orgs.filter(pk=user.preferred_org_id or 0).first() or orgs.first()


def membership_list(org: models.Model) -> models.QuerySet[Membership]:
    """Return the people of an org, by name."""
    rows: models.QuerySet[Membership] = Membership.objects.for_org(org)
    return rows.filter(user__kind=UserKind.PERSON).select_related("org", "user").order_by("name")


def membership_get(org: models.Model, name: str) -> Membership | None:
    """Return a person of an org."""
    return membership_list(org).filter(name=name).first()


def team_list(org: models.Model) -> models.QuerySet[Team]:
    """Return an org's teams, by name."""
    rows: models.QuerySet[Team] = Team.objects.for_org(org)
    members = User.objects.annotate(member_name=_member_name(org, "pk")).order_by("username")
    people = models.Prefetch("group__user_set", queryset=members)
    return rows.select_related("org", "group").prefetch_related(people).order_by("name")


def role_list(org: models.Model) -> models.QuerySet[Role]:
    """Return an org's roles, built-in ones first."""
    rows: models.QuerySet[Role] = Role.objects.for_org(org)
    return rows.order_by("-is_builtin", "name")


def role_get(org: models.Model, name: str) -> Role | None:
    """Return an org's role of this name."""
    return role_list(org).filter(name=name).first()


def role_require(org: models.Model, name: str) -> Role:
    """Return an org's role of this name; raise NotFoundError naming those there are."""
    role = role_get(org, name)
    if role is None:
        known = ", ".join(role_list(org).values_list("name", flat=True))
        raise NotFoundError(f"There is no role {name!r} in {org}. Known: {known}.")
    return role


def binding_list(org: models.Model) -> models.QuerySet[RoleBinding]:
    """Return an org's role bindings with who and where; ``member_name`` is the user's name."""
    rows: models.QuerySet[RoleBinding] = RoleBinding.objects.for_org(org)
    return (
        rows.select_related(
            "org", "role", "user", "team", "service_account", "scope_folder", "scope_type"
        )
        .annotate(member_name=_member_name(org, "user_id"))
        .order_by("name")
    )


def serviceaccount_list(org: models.Model) -> models.QuerySet[ServiceAccount]:
    """Return an org's service accounts."""
    rows: models.QuerySet[ServiceAccount] = ServiceAccount.objects.for_org(org)
    return rows.select_related("org", "user").order_by("name")


def apikey_list(org: models.Model) -> models.QuerySet[ApiKey]:
    """Return an org's API keys; nothing in a row gives the key away."""
    rows: models.QuerySet[ApiKey] = ApiKey.objects.for_org(org)
    rows = rows.select_related("org", "user", "user__service_account", "created_by")
    return rows.annotate(member_name=_member_name(org, "user_id")).order_by("name")


def invitation_list(org: models.Model) -> models.QuerySet[Invitation]:
    """Return an org's open invitations."""
    rows: models.QuerySet[Invitation] = Invitation.objects.for_org(org)
    return rows.filter(accepted_at=None, revoked_at=None).select_related("role", "invited_by")


def member_names(org: models.Model, users: Any) -> dict[int, str]:
    """Return the membership names of some users, by their primary keys."""
    rows = Membership.objects.for_org(org).filter(user__in=users)
    return dict(rows.values_list("user_id", "name"))


def member_roles(org: models.Model) -> dict[int, list[str]]:
    """Return the names of the roles each user has in the whole org, by primary key."""
    rows = RoleBinding.objects.for_org(org).filter(
        user__isnull=False, scope_folder=None, scope_type=None
    )
    roles: dict[int, list[str]] = {}
    for user_id, role in rows.order_by("role__name").values_list("user_id", "role__name"):
        roles.setdefault(user_id, []).append(role)
    return roles


def invitation_get(org: models.Model, uid: str) -> Invitation | None:
    """Return an open invitation of an org."""
    return invitation_list(org).filter(uid=uid).first()


def account_has_role(account: ServiceAccount, role: Role) -> bool:
    """Tell whether a service account has a role in the whole org."""
    return account.bindings.filter(role=role, scope_folder=None, scope_type=None).exists()
