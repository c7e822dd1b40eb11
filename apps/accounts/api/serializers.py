"""Specs of people, programs and their permissions. Names are looked up inside the org only."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from django.db import models
from rest_framework import serializers

from apps.accounts.models import ServiceAccount, Team, User
from apps.accounts.selectors import (
    membership_get,
    role_get,
    serviceaccount_list,
    team_list,
)
from apps.orgs.selectors import folder_get
from detectviz.permissions.patterns import pattern_problem
from detectviz.resources.models import ResourceModel
from detectviz.resources.registry import registry

T = TypeVar("T")
_MAX_PATTERNS = 500


class Named(Generic[T]):
    """A thing of the org together with the name it was called by."""

    def __init__(self, kind: str, name: str, value: T) -> None:
        self.kind = kind
        self.name = name
        self.value = value


class TitledSpec(serializers.Serializer[Any]):
    """What most kinds have."""

    title = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class OrgSpec(serializers.Serializer[Any]):
    """An org. Only a platform administrator switches one off."""

    title = serializers.CharField(max_length=200, required=False, allow_blank=True)
    is_active = serializers.BooleanField(required=False)
    theme = serializers.CharField(
        max_length=63,
        required=False,
        allow_blank=True,
        help_text="The theme plugin that pages show to people who chose none.",
    )
    time_zone = serializers.CharField(
        max_length=64,
        required=False,
        help_text="An IANA name: of times in notifications, of nights, and where forms begin.",
    )


class UserSpec(serializers.Serializer[Any]):
    """A person's place in the org. The address is needed to create, and never changes here."""

    email = serializers.EmailField(required=False)
    is_active = serializers.BooleanField(required=False, default=True)


class TeamSpec(TitledSpec):
    """A team; members are names of users of the org."""

    members = serializers.ListField(
        child=serializers.CharField(max_length=63), required=False, default=list, max_length=10_000
    )


class RoleSpec(TitledSpec):
    """A role."""

    description = serializers.CharField(
        max_length=500, required=False, allow_blank=True, default=""
    )
    permissions = serializers.ListField(
        child=serializers.CharField(max_length=100), max_length=_MAX_PATTERNS
    )

    def validate_permissions(self, patterns: list[str]) -> list[str]:
        """Name what is wrong with each pattern."""
        problems = [problem for pattern in patterns if (problem := pattern_problem(pattern))]
        if problems:
            raise serializers.ValidationError(problems)
        return patterns


class SubjectSpec(serializers.Serializer[Any]):
    """Who a role is bound to, or who owns an API key."""

    kind = serializers.ChoiceField(choices=["User", "Team", "ServiceAccount"])
    name = serializers.CharField(max_length=63)

    def validate(self, attrs: Mapping[str, Any]) -> Any:
        """Find the subject in the org."""
        found = _subject(self.context["org"], attrs["kind"], attrs["name"])
        if found is None:
            raise serializers.ValidationError(
                {"name": f"There is no {attrs['kind']} {attrs['name']!r} in this organisation."}
            )
        return Named(attrs["kind"], attrs["name"], found)


class ScopeSpec(serializers.Serializer[Any]):
    """Where a role is bound: the org (without a name), a folder, or one object."""

    kind = serializers.CharField(max_length=63, default="Org")
    name = serializers.CharField(max_length=63, required=False, allow_blank=True, default="")

    def validate(self, attrs: Mapping[str, Any]) -> Any:
        """Find the folder or object in the org."""
        org, kind, name = self.context["org"], attrs["kind"], attrs["name"]
        if kind == "Org":
            if name not in {"", org.name}:
                raise serializers.ValidationError({"name": f"Leave it out, or write {org.name!r}."})
            return Named(kind, "", None)
        found = _scope(org, kind, name)
        if found is None:
            raise serializers.ValidationError(
                {"name": f"There is no {kind} {name!r} in this organisation."}
            )
        return Named(kind, name, found)


class RoleBindingSpec(serializers.Serializer[Any]):
    """Gives a role to a subject in a scope."""

    role = serializers.CharField(max_length=63)
    subject = SubjectSpec()
    scope = ScopeSpec(required=False)

    def validate_role(self, name: str) -> Any:
        """Find the role in the org."""
        role = role_get(self.context["org"], name)
        if role is None:
            raise serializers.ValidationError(f"There is no role {name!r} in this organisation.")
        return role


class ServiceAccountSpec(TitledSpec):
    """A service account."""

    description = serializers.CharField(
        max_length=500, required=False, allow_blank=True, default=""
    )
    is_active = serializers.BooleanField(required=False, default=True)


class OwnerSpec(SubjectSpec):
    """Who a key acts as."""

    kind = serializers.ChoiceField(choices=["User", "ServiceAccount"])


class ApiKeySpec(TitledSpec):
    """An API key. Without an owner it is the caller's own; scopes default to everything."""

    owner = OwnerSpec(required=False)
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        default=lambda: ["*:*"],
        max_length=_MAX_PATTERNS,
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    is_revoked = serializers.BooleanField(required=False, default=False)

    validate_scopes = RoleSpec.validate_permissions


def _subject(org: models.Model, kind: str, name: str) -> User | Team | ServiceAccount | None:
    if kind == "User":
        membership = membership_get(org, name)
        return membership.user if membership else None
    if kind == "Team":
        return team_list(org).filter(name=name).first()
    return serviceaccount_list(org).filter(name=name).first()


def _scope(org: models.Model, kind: str, name: str) -> ResourceModel | None:
    if kind == "Folder":
        return folder_get(org, name)
    for registered in registry:
        if registered.kind == kind:
            found: ResourceModel | None = registered.queryset(org).filter(name=name).first()
            return found
    return None
