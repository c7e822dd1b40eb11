"""Orgs and folders for platform administrators."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from apps.orgs.models import Folder, Org
from apps.orgs.services import org_create, org_update
from detectviz.permissions.admin import GuardedPlatformAdmin


@admin.register(Org)
class OrgAdmin(GuardedPlatformAdmin):
    """Orgs are made and changed by the services, so that they are whole and audited."""

    list_display = ("name", "title", "is_active", "created_at")
    search_fields = ("name", "title")
    readonly_fields = ("uid", "created_at", "updated_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Keep the name of an org that exists."""
        return (*self.readonly_fields, "name") if obj is not None else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: deleting an org is a call of the API, which audits it."""
        return False

    def save_model(self, request: HttpRequest, obj: Org, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Write through the services."""
        actor: Any = request.user
        if change:
            org_update(org=obj, title=obj.title, is_active=obj.is_active, actor=actor)
            return
        made = org_create(name=obj.name, title=obj.title, actor=actor)
        obj.pk, obj.uid = made.pk, made.uid


@admin.register(Folder)
class FolderAdmin(GuardedPlatformAdmin):
    """Folders, with guardian's editor."""

    list_display = ("name", "org", "title")
    list_filter = ("org",)
    search_fields = ("name", "title")
    fields = ("org", "name", "title")
    readonly_fields = ("org", "name", "title")

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Refuse: folders are made in their org."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: folders are deleted in their org."""
        return False
