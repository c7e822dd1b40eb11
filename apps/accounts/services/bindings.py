"""Role bindings, and the grants that follow from them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction

from apps.accounts.enums import UserKind
from apps.accounts.errors import EscalationError, LastAdminError
from apps.accounts.models import Role, RoleBinding, ServiceAccount, Team, User
from apps.orgs.models import Folder
from detectviz.permissions.grants import grants_replace
from detectviz.permissions.requests import actor_access
from detectviz.resources.models import ResourceModel

ADMIN_ROLE = "admin"
Subject = User | Team | ServiceAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingChange:
    """What a binding is to say. ``scope`` is None for the whole org."""

    role: Role
    subject: Subject
    scope: ResourceModel | None = None


@transaction.atomic
def binding_create(
    *, org: models.Model, name: str, change: BindingChange, actor: models.Model | None
) -> RoleBinding:
    """Bind a role; raise EscalationError when the actor does not hold all of it there."""
    require_cover(actor, org, change.role.permissions, change.scope)
    binding = RoleBinding(org_id=org.pk, name=name)
    _point(binding, change)
    binding.save()
    _materialise(change.subject, change.scope or org, revoked=())
    return binding


@transaction.atomic
def binding_update(
    *, binding: RoleBinding, change: BindingChange, actor: models.Model | None
) -> RoleBinding:
    """Change what a binding says; the actor must hold both what it gave and what it will give."""
    org, scope = binding.org, binding_scope(binding)
    require_cover(actor, org, binding.role.permissions, scope)
    require_cover(actor, org, change.role.permissions, change.scope)
    subject, revoked = binding_subject(binding), list(binding.role.permissions)
    with admin_kept(org):
        _point(binding, change)
        binding.save()
        _materialise(subject, scope or org, revoked=revoked)
        _materialise(change.subject, change.scope or org, revoked=())
    return binding


@transaction.atomic
def binding_delete(*, binding: RoleBinding, actor: models.Model | None) -> None:
    """Take a role away; the actor must hold all of it there, and an admin must be left."""
    org, scope, subject = binding.org, binding_scope(binding), binding_subject(binding)
    require_cover(actor, org, binding.role.permissions, scope)
    with admin_kept(org):
        binding.delete()
        _materialise(subject, scope or org, revoked=binding.role.permissions)


def role_rematerialise(*, role: Role, before: Iterable[str]) -> None:
    """Bring the grants of everybody who has ``role`` in line with its new permissions."""
    for binding in role.bindings.select_related("user", "team", "service_account"):
        scope = binding_scope(binding) or binding.org
        _materialise(binding_subject(binding), scope, revoked=list(before))


def subject_bindings_delete(*, org: models.Model, subject: Subject) -> None:
    """Take away everything a subject has in an org."""
    rows = RoleBinding.objects.for_org(org).filter(**_subject_filter(subject))
    for binding in rows.select_related("role", "user", "team", "service_account"):
        scope = binding_scope(binding) or org
        binding.delete()
        _materialise(subject, scope, revoked=binding.role.permissions)


def bindings_on_deleted(instance: ResourceModel) -> None:
    """Delete the bindings on an object that is gone; its grants went with it."""
    scope_type = ContentType.objects.get_for_model(instance)
    rows = RoleBinding.objects.for_org(instance.org_id)
    rows.filter(scope_type=scope_type, scope_uid=instance.uid).delete()


def binding_subject(binding: RoleBinding) -> Subject:
    """Return who a binding is for."""
    subject = binding.user or binding.team or binding.service_account
    assert subject is not None  # a constraint of the table
    return subject


def binding_scope(binding: RoleBinding) -> ResourceModel | None:
    """Return the folder or object of a binding, None for the whole org."""
    if binding.scope_folder_id is not None:
        return binding.scope_folder
    if binding.scope_type is None:
        return None
    model: Any = binding.scope_type.model_class()
    found: ResourceModel | None = (
        model.objects.for_org(binding.org_id).filter(uid=binding.scope_uid).first()
    )
    return found


def require_cover(
    actor: models.Model | None,
    org: models.Model,
    patterns: Iterable[str],
    scope: models.Model | None = None,
) -> None:
    """Raise EscalationError unless the actor holds everything in ``patterns`` on ``scope``."""
    if not actor_access(actor, org).covers(patterns, scope):
        raise EscalationError


@contextmanager
def admin_kept(org: models.Model) -> Iterator[None]:
    """Raise LastAdminError when the block takes an org's last active administrator away."""
    had = _has_admin(org)
    yield
    if had and not _has_admin(org):
        raise LastAdminError


def _has_admin(org: models.Model) -> bool:
    admins = RoleBinding.objects.for_org(org).filter(
        role__name=ADMIN_ROLE, role__is_builtin=True, scope_folder=None, scope_type=None
    )
    members = User.objects.filter(
        is_active=True,
        kind=UserKind.PERSON,
        memberships__org=org.pk,
        memberships__is_active=True,
    )
    direct = members.filter(pk__in=admins.filter(user__isnull=False).values("user_id"))
    teams = admins.filter(team__isnull=False).values("team_id")
    return direct.exists() or members.filter(groups__team__in=teams).exists()


def _point(binding: RoleBinding, change: BindingChange) -> None:
    binding.role = change.role
    subject, scope = change.subject, change.scope
    vars(binding).pop("member_name", None)  # loaded by lists, of the former subject
    binding.user = subject if isinstance(subject, User) else None
    binding.team = subject if isinstance(subject, Team) else None
    binding.service_account = subject if isinstance(subject, ServiceAccount) else None
    binding.scope_folder = scope if isinstance(scope, Folder) else None
    is_object = scope is not None and not isinstance(scope, Folder)
    binding.scope_type = ContentType.objects.get_for_model(scope) if is_object and scope else None
    binding.scope_uid = scope.uid if is_object and scope else ""


def _materialise(subject: Subject, scope: models.Model, *, revoked: Iterable[str]) -> None:
    """Make the grants of ``subject`` on ``scope`` what all of its bindings there say together."""
    rows = RoleBinding.objects.across_orgs(
        reason="the scope below belongs to one org and narrows the rows to it"
    ).filter(**_subject_filter(subject), **_scope_filter(scope))
    wanted = {
        pattern
        for patterns in rows.values_list("role__permissions", flat=True)
        for pattern in patterns
    }
    grants_replace(_holder(subject), scope, revoked=list(revoked), granted=wanted)


def _holder(subject: Subject) -> User | Group:
    if isinstance(subject, Team):
        return subject.group
    return subject.user if isinstance(subject, ServiceAccount) else subject


def _subject_filter(subject: Subject) -> dict[str, Any]:
    if isinstance(subject, Team):
        return {"team": subject}
    return {"service_account" if isinstance(subject, ServiceAccount) else "user": subject}


def _scope_filter(scope: models.Model) -> dict[str, Any]:
    if isinstance(scope, Folder):
        return {"org_id": scope.org_id, "scope_folder": scope}
    if isinstance(scope, ResourceModel):
        return {
            "org_id": scope.org_id,
            "scope_type": ContentType.objects.get_for_model(scope),
            "scope_uid": scope.uid,
        }
    return {"org_id": scope.pk, "scope_folder": None, "scope_type": None}
