"""People and programs for platform administrators. No secret, hash or token is on any page."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group

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
from detectviz.permissions.admin import PlatformAdminMixin, ReadOnlyModelAdmin

admin.site.unregister(Group)  # the groups are those behind teams; change the teams


@admin.register(User)
class PersonAdmin(PlatformAdminMixin, UserAdmin):  # type: ignore[type-arg]  # generic for the checker only
    """Users: who may sign in, and who administers the platform."""

    list_display = ("username", "email", "kind", "is_active", "is_superuser", "last_login")
    list_filter = ("kind", "is_active", "is_superuser")
    filter_horizontal = ()
    readonly_fields = ("uid", "kind", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password", "uid", "kind")}),
        ("Person", {"fields": ("first_name", "last_name", "email", "preferred_org")}),
        ("Platform", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "email", "usable_password", "password1", "password2")}),
    )


@admin.register(Membership)
class MembershipAdmin(ReadOnlyModelAdmin):
    """Who is in which org."""

    list_display = ("name", "org", "user", "is_active")
    list_filter = ("org", "is_active")
    search_fields = ("name", "user__username", "user__email")


@admin.register(Team)
class TeamAdmin(ReadOnlyModelAdmin):
    """Teams."""

    list_display = ("name", "org", "title")
    list_filter = ("org",)
    search_fields = ("name", "title")


@admin.register(Role)
class RoleAdmin(ReadOnlyModelAdmin):
    """Roles and what they grant."""

    list_display = ("name", "org", "is_builtin", "permissions")
    list_filter = ("org", "is_builtin")
    search_fields = ("name", "title")


@admin.register(RoleBinding)
class RoleBindingAdmin(ReadOnlyModelAdmin):
    """Who has which role where."""

    list_display = ("name", "org", "role", "user", "team", "service_account", "scope_folder")
    list_filter = ("org",)
    list_select_related = ("org", "role", "user", "team", "service_account", "scope_folder")
    search_fields = ("name", "role__name", "user__username", "team__name")


@admin.register(ServiceAccount)
class ServiceAccountAdmin(ReadOnlyModelAdmin):
    """Service accounts."""

    list_display = ("name", "org", "title")
    list_filter = ("org",)
    search_fields = ("name", "title")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyModelAdmin):
    """API keys by their public prefix."""

    list_display = ("name", "org", "prefix", "user", "expires_at", "revoked_at", "last_used_at")
    list_filter = ("org",)
    search_fields = ("name", "key_id", "user__username")
    exclude = ("digest",)


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyModelAdmin):
    """Invitations without their links."""

    list_display = ("email", "org", "role", "invited_by", "expires_at", "accepted_at", "revoked_at")
    list_filter = ("org",)
    search_fields = ("email",)
    exclude = ("digest",)
