"""What Django admin shows of permissions: platform administrators only, guardian's editor."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from guardian.admin import (  # noqa: TID251 - this package is the one that speaks to guardian
    GuardedModelAdmin as GuardianAdmin,
)

from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[models.Model]
else:
    ModelAdmin = admin.ModelAdmin  # generic for the type checker only


class PlatformAdminMixin:
    """Everything of the admin is for active superusers, whatever Django permissions say."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the app to platform administrators."""
        return is_platform_admin(request)

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Let platform administrators look."""
        return is_platform_admin(request)

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Let platform administrators add."""
        return is_platform_admin(request)

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Let platform administrators change."""
        return is_platform_admin(request)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Let platform administrators delete."""
        return is_platform_admin(request)


class ReadOnlyMixin(PlatformAdminMixin):
    """To look at only: changes go through services, which keep the truth and the audit log."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Refuse."""
        return False


class PlatformModelAdmin(PlatformAdminMixin, ModelAdmin):
    """An admin page for platform administrators."""


class ReadOnlyModelAdmin(ReadOnlyMixin, ModelAdmin):
    """An admin page nothing can be changed on."""


class GuardedPlatformAdmin(PlatformAdminMixin, GuardianAdmin):  # type: ignore[misc]  # ships no types
    """An admin page with guardian's editor of object permissions, whose use is audited."""

    def obj_perms_manage_user_view(
        self, request: HttpRequest, object_pk: str, user_id: str
    ) -> HttpResponse:
        """Edit what a user was granted on an object."""
        guardian: Any = super()
        response: HttpResponse = guardian.obj_perms_manage_user_view(request, object_pk, user_id)
        self._tell(request, object_pk, {"user_id": user_id})
        return response

    def obj_perms_manage_group_view(
        self, request: HttpRequest, object_pk: str, group_id: str
    ) -> HttpResponse:
        """Edit what a team's group was granted on an object."""
        guardian: Any = super()
        response: HttpResponse = guardian.obj_perms_manage_group_view(request, object_pk, group_id)
        self._tell(request, object_pk, {"group_id": group_id})
        return response

    def _tell(self, request: HttpRequest, object_pk: str, whom: dict[str, str]) -> None:
        if request.method != "POST":
            return
        publish(
            SecurityEventOccurred(
                action="grants.edit",
                org_id=None,
                actor_id=request.user.pk,
                kind=self.model.__name__,
                name=str(self.get_object(request, object_pk)),
                details=whom,
            )
        )


def is_platform_admin(request: HttpRequest) -> bool:
    """Tell whether the caller administers the platform."""
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))
