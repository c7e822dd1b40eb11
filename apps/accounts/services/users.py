"""Users and their place in orgs."""

import re
import secrets
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from apps.accounts.errors import EscalationError
from apps.accounts.models import Membership, Role, User
from apps.accounts.services.bindings import (
    BindingChange,
    admin_kept,
    binding_create,
    require_cover,
    subject_bindings_delete,
)
from apps.accounts.services.teams import team_leave_all
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.permissions.access import access_of
from detectviz.permissions.requests import actor_access
from detectviz.resources.errors import ConflictError, ForbiddenError, InvalidFieldsError

_NAME_MAX = 63


@transaction.atomic
def user_create(
    *,
    username: str,
    email: str,
    password: str | None = None,
    full_name: str = "",
    is_superuser: bool = False,
) -> User:
    """Create a user who belongs to no org; without a password nobody can sign in as them.

    Callers decide who may: the command line, a platform administrator, an accepted invitation.
    Raises InvalidFieldsError for a bad name, address or password, ConflictError for a taken one.
    """
    first, _, last = full_name.partition(" ")
    user = User(
        username=username,
        email=email,
        first_name=first[:150],
        last_name=last[:150],
        is_superuser=is_superuser,
        is_staff=is_superuser,
    )
    _check(user, password)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        raise ConflictError("A user with that username or e-mail address exists already.") from None
    return user


_ORG_WIDE: dict[str, Any] = {"scope_folder": None, "scope_type": None}


@transaction.atomic
def person_add(
    *, org: models.Model, username: str, email: str, actor: models.Model | None
) -> Membership:
    """Make a person a member without an invitation, creating them if nobody has the address.

    Only the platform's administrator and the command line may: an org's administrator does not get
    to decide that an address belongs to somebody.
    """
    if not actor_access(actor, org).is_superuser:
        raise ForbiddenError("Invite people by e-mail; only a platform administrator adds them.")
    user = User.objects.filter(email__iexact=email).first() if email else None
    user = user or user_create(username=username, email=email)
    return membership_add(org=org, user=user, actor=actor, name=username)


@transaction.atomic
def membership_add(
    *,
    org: models.Model,
    user: User,
    role: Role | None = None,
    name: str = "",
    actor: models.Model | None,
) -> Membership:
    """Make a user a member of an org, with a role there; a suspended member is let in again."""
    if role is not None:
        require_cover(actor, org, role.permissions)
    membership: Membership | None = Membership.objects.for_org(org).filter(user=user).first()
    if membership is None:
        name = name or free_name(Membership.objects.for_org(org), user.username)
        membership = Membership(org_id=org.pk, user=user, name=name, title=user.get_full_name())
        membership.save()
    elif not membership.is_active:
        membership.is_active = True
        membership.save(update_fields=["is_active", "updated_at"])
    if role is not None and not role.bindings.filter(user=user, **_ORG_WIDE).exists():
        taken = role.bindings.model.objects.for_org(org)
        change = BindingChange(role=role, subject=user)
        name = free_name(taken, f"{membership.name}-{role.name}")
        binding_create(org=org, name=name, change=change, actor=actor)
    publish(
        SecurityEventOccurred(
            action="user.join",
            org_id=org.pk,
            actor_id=actor.pk if actor else None,
            kind="User",
            name=membership.name,
            uid=membership.uid,
            details={"role": role.name if role else None},
        )
    )
    return membership


@transaction.atomic
def membership_update(
    *, membership: Membership, is_active: bool, actor: models.Model | None
) -> Membership:
    """Suspend a member or let them in again; the actor must hold all that the member does."""
    if membership.is_active != is_active:
        _require_cover(membership, actor)
        with admin_kept(membership.org):
            membership.is_active = is_active
            membership.save(update_fields=["is_active", "updated_at"])
    return membership


@transaction.atomic
def membership_remove(*, membership: Membership, actor: models.Model | None) -> None:
    """Take a member out of the org with all bindings, team memberships and API keys there."""
    _require_cover(membership, actor)
    org, user = membership.org, membership.user
    with admin_kept(org):
        membership.delete()
        subject_bindings_delete(org=org, subject=user)
        team_leave_all(org=org, user=user)
    user.api_keys.filter(org=org).delete()
    if user.preferred_org_id == org.pk:
        user.preferred_org = None
        user.save(update_fields=["preferred_org"])


def user_prefer_org(*, user: User, org: models.Model) -> None:
    """Remember the org to open after signing in."""
    User.objects.filter(pk=user.pk).update(preferred_org=org)


def free_name(taken: models.QuerySet[Any], wish: str) -> str:
    """Return ``wish`` as a DNS-1123 name that is free among the rows ``taken``."""
    base = re.sub(r"[^a-z0-9]+", "-", wish.lower()).strip("-")[: _NAME_MAX - 5].strip("-") or "user"
    name = base
    while taken.filter(name=name).exists():
        name = f"{base}-{secrets.token_hex(2)}"
    return name


def _require_cover(membership: Membership, actor: models.Model | None) -> None:
    org = membership.org
    if actor is not None and actor.pk == membership.user_id:
        return
    if not actor_access(actor, org).covers_access(access_of(membership.user, org)):
        raise EscalationError


def _check(user: User, password: str | None) -> None:
    problems: dict[str, list[str]] = {}
    try:
        user.clean_fields(exclude=["password"])
        if not user.email:
            raise ValidationError({"email": ["An e-mail address is needed."]})  # noqa: TRY301 - joins the others
    except ValidationError as error:
        problems = {f"spec.{name}": texts for name, texts in error.message_dict.items()}
    if password is not None:
        try:
            validate_password(password, user)
        except ValidationError as error:
            problems["spec.password"] = list(error.messages)
    if problems:
        raise InvalidFieldsError(problems)


def user_theme_set(*, user: User, theme: str) -> None:
    """Remember what a person chose to see; the caller knows which themes there are."""
    user.theme = theme
    user.save(update_fields=["theme"])
