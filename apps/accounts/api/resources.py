"""Users, teams, roles, role bindings, service accounts and API keys, as resources."""

from typing import Any

from apps.accounts.api.serializers import (
    ApiKeySpec,
    RoleBindingSpec,
    RoleSpec,
    ServiceAccountSpec,
    TeamSpec,
    UserSpec,
)
from apps.accounts.models import ApiKey, Membership, Role, RoleBinding, ServiceAccount, Team, User
from apps.accounts.selectors import (
    apikey_list,
    binding_list,
    member_names,
    membership_list,
    role_list,
    serviceaccount_list,
    team_list,
)
from apps.accounts.services.apikeys import KeyTerms, apikey_create, apikey_update
from apps.accounts.services.bindings import (
    BindingChange,
    binding_create,
    binding_delete,
    binding_scope,
    binding_update,
)
from apps.accounts.services.roles import role_create, role_delete, role_update
from apps.accounts.services.serviceaccounts import (
    serviceaccount_create,
    serviceaccount_delete,
    serviceaccount_update,
)
from apps.accounts.services.teams import team_create, team_delete, team_update
from apps.accounts.services.users import membership_remove, membership_update, person_add
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.registry import ResourceKind, Write, registry


class UserKind(ResourceKind[Membership]):
    """A person of the org."""

    group = "core"
    kind = "User"
    plural = "users"
    model = Membership
    permission = "users"
    spec_serializer = UserSpec
    search_fields = ("name", "title", "user__email", "user__username")
    field_selectors = {"spec.is_active": "is_active", "spec.email": "user__email"}
    apply_order = 11

    def queryset(self, org: Any) -> Any:
        """Return the people of the org."""
        return membership_list(org)

    def to_spec(self, instance: Membership) -> dict[str, Any]:
        """Return address and state."""
        return {"email": instance.user.email, "is_active": instance.is_active}

    def to_status(self, instance: Membership) -> dict[str, Any]:
        """Return who it is."""
        user = instance.user
        return {
            "username": user.username,
            "full_name": user.get_full_name(),
            "can_sign_in": user.is_active and instance.is_active,
            "last_login_at": user.last_login,
        }

    def write(self, change: Write[Membership]) -> Membership:
        """Suspend or restore; only the platform's administrator adds people without invitation."""
        member, email = change.instance, change.spec.get("email")
        if member is None:
            member = person_add(
                org=change.org, username=change.name, email=email or "", actor=change.actor
            )
        elif email is not None and email.lower() != member.user.email.lower():
            raise InvalidFieldsError({"spec.email": ["Only the person can change the address."]})
        return membership_update(
            membership=member, is_active=change.spec["is_active"], actor=change.actor
        )

    def remove(self, instance: Membership, *, actor: Any) -> None:
        """Take the person out of the org."""
        membership_remove(membership=instance, actor=actor)


class TeamKind(ResourceKind[Team]):
    """Users of the org."""

    group = "core"
    kind = "Team"
    plural = "teams"
    model = Team
    permission = "teams"
    spec_serializer = TeamSpec
    apply_order = 12

    def queryset(self, org: Any) -> Any:
        """Return the teams with their members."""
        return team_list(org)

    def to_spec(self, instance: Team) -> dict[str, Any]:
        """Return title and members."""
        users = list(instance.group.user_set.all())
        names = [vars(user).get("member_name") for user in users]
        if None in names:  # the members were changed after loading
            names = list(member_names(instance.org, users).values())
        return {"title": instance.title, "members": sorted(filter(None, names))}

    def write(self, change: Write[Team]) -> Team:
        """Create or update."""
        spec = change.spec
        if change.instance is None:
            return team_create(org=change.org, name=change.name, actor=change.actor, **spec)
        return team_update(team=change.instance, actor=change.actor, **spec)

    def remove(self, instance: Team, *, actor: Any) -> None:
        """Delete with bindings and grants."""
        team_delete(team=instance, actor=actor)


class RoleKind(ResourceKind[Role]):
    """A named set of permissions."""

    group = "core"
    kind = "Role"
    plural = "roles"
    model = Role
    permission = "roles"
    spec_serializer = RoleSpec
    apply_order = 13

    def queryset(self, org: Any) -> Any:
        """Return the roles."""
        return role_list(org).select_related("org")

    def to_spec(self, instance: Role) -> dict[str, Any]:
        """Return what the role grants."""
        return {
            "title": instance.title,
            "description": instance.description,
            "permissions": instance.permissions,
        }

    def to_status(self, instance: Role) -> dict[str, Any]:
        """Tell the product's own roles."""
        return {"is_builtin": instance.is_builtin}

    def write(self, change: Write[Role]) -> Role:
        """Create or update; writing a built-in role as it is changes nothing."""
        spec = dict(change.spec)
        if change.instance is None:
            return role_create(org=change.org, name=change.name, actor=change.actor, **spec)
        if change.instance.is_builtin and spec == self.to_spec(change.instance):
            return change.instance
        return role_update(role=change.instance, actor=change.actor, **spec)

    def remove(self, instance: Role, *, actor: Any) -> None:
        """Delete a role that nobody has."""
        role_delete(role=instance, actor=actor)


class ServiceAccountKind(ResourceKind[ServiceAccount]):
    """A program's identity."""

    group = "core"
    kind = "ServiceAccount"
    plural = "serviceaccounts"
    model = ServiceAccount
    permission = "serviceaccounts"
    spec_serializer = ServiceAccountSpec
    apply_order = 14

    def queryset(self, org: Any) -> Any:
        """Return the service accounts."""
        return serviceaccount_list(org)

    def to_spec(self, instance: ServiceAccount) -> dict[str, Any]:
        """Return title, description and state."""
        return {
            "title": instance.title,
            "description": instance.description,
            "is_active": instance.user.is_active,
        }

    def write(self, change: Write[ServiceAccount]) -> ServiceAccount:
        """Create or update."""
        spec, account = change.spec, change.instance
        if account is None:
            account = serviceaccount_create(org=change.org, name=change.name)
        return serviceaccount_update(account=account, **spec)

    def remove(self, instance: ServiceAccount, *, actor: Any) -> None:
        """Delete with keys and bindings."""
        serviceaccount_delete(account=instance, actor=actor)


class RoleBindingKind(ResourceKind[RoleBinding]):
    """A role given to somebody somewhere."""

    group = "core"
    kind = "RoleBinding"
    plural = "rolebindings"
    model = RoleBinding
    permission = "rolebindings"
    spec_serializer = RoleBindingSpec
    field_selectors = {"spec.role": "role__name"}
    apply_order = 90  # after what they may be bound on

    def queryset(self, org: Any) -> Any:
        """Return the bindings with who and where."""
        return binding_list(org)

    def to_spec(self, instance: RoleBinding) -> dict[str, Any]:
        """Return role, subject and scope by name."""
        return {
            "role": instance.role.name,
            "subject": _subject_of(instance),
            "scope": _scope_of(instance),
        }

    def write(self, change: Write[RoleBinding]) -> RoleBinding:
        """Create or change; the service refuses to hand out what the caller lacks."""
        spec, scope = change.spec, change.spec.get("scope")
        wanted = BindingChange(
            role=spec["role"],
            subject=spec["subject"].value,
            scope=scope.value if scope is not None else None,
        )
        if change.instance is None:
            return binding_create(
                org=change.org, name=change.name, change=wanted, actor=change.actor
            )
        return binding_update(binding=change.instance, change=wanted, actor=change.actor)

    def remove(self, instance: RoleBinding, *, actor: Any) -> None:
        """Take the role away."""
        binding_delete(binding=instance, actor=actor)


class ApiKeyKind(ResourceKind[ApiKey]):
    """A program's key; the answer to its creation is the only time it is shown."""

    group = "core"
    kind = "ApiKey"
    plural = "apikeys"
    model = ApiKey
    permission = "apikeys"
    spec_serializer = ApiKeySpec
    search_fields = ("name", "title", "key_id")
    apply_order = 91

    def queryset(self, org: Any) -> Any:
        """Return the keys with their owners."""
        return apikey_list(org)

    def to_spec(self, instance: ApiKey) -> dict[str, Any]:
        """Return owner and terms."""
        return {
            "title": instance.title,
            "owner": _owner_of(instance),
            "scopes": instance.scopes,
            "expires_at": instance.expires_at,
            "is_revoked": instance.revoked_at is not None,
        }

    def to_status(self, instance: ApiKey) -> dict[str, Any]:
        """Return the public prefix and the last use."""
        return {"prefix": instance.prefix, "last_used_at": instance.last_used_at}

    def write(self, change: Write[ApiKey]) -> ApiKey:
        """Create, narrow or revoke."""
        spec, owner, key = change.spec, change.spec.get("owner"), change.instance
        terms = KeyTerms(scopes=spec["scopes"], expires_at=spec["expires_at"])
        if key is not None:
            if owner is not None and _user_of(owner.value).pk != key.user_id:
                raise InvalidFieldsError({"spec.owner": ["A key stays with its owner."]})
            return apikey_update(
                key=key,
                terms=terms,
                title=spec["title"],
                is_revoked=spec["is_revoked"],
                actor=change.actor,
            )
        user = _user_of(owner.value) if owner is not None else change.actor
        if not isinstance(user, User):
            raise InvalidFieldsError({"spec.owner": ["Say whose key it is."]})
        return apikey_create(
            org=change.org,
            name=change.name,
            user=user,
            terms=terms,
            title=spec["title"],
            actor=change.actor,
        )

    def extra_answer(self, instance: ApiKey) -> dict[str, Any]:
        """Return the token of a key made just now."""
        return {"token": instance.token} if instance.token else {}


def _user_of(owner: User | ServiceAccount) -> User:
    return owner.user if isinstance(owner, ServiceAccount) else owner


def _subject_of(binding: RoleBinding) -> dict[str, str]:
    if binding.team is not None:
        return {"kind": "Team", "name": binding.team.name}
    if binding.service_account is not None:
        return {"kind": "ServiceAccount", "name": binding.service_account.name}
    return {"kind": "User", "name": _member_name(binding)}


def _scope_of(binding: RoleBinding) -> dict[str, str]:
    scope = binding_scope(binding)
    if scope is None:
        return {"kind": "Org"}
    kinds = [each.kind for each in registry if each.model is type(scope)]
    return {"kind": kinds[0] if kinds else type(scope).__name__, "name": scope.name}


def _owner_of(key: ApiKey) -> dict[str, str]:
    account = getattr(key.user, "service_account", None)
    if account is not None:
        return {"kind": "ServiceAccount", "name": account.name}
    return {"kind": "User", "name": _member_name(key)}


def _member_name(row: RoleBinding | ApiKey) -> str:
    """Return the user's name in the org, which lists have loaded along."""
    known: str | None = vars(row).get("member_name")
    return known or member_names(row.org, [row.user_id]).get(row.user_id or 0, "")


for kind in (
    UserKind(),
    TeamKind(),
    RoleKind(),
    ServiceAccountKind(),
    RoleBindingKind(),
    ApiKeyKind(),
):
    registry.register(kind)
