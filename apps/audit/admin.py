"""The audit log for platform administrators: to read."""

from django.contrib import admin

from apps.audit.models import AuditEvent
from detectviz.permissions.admin import ReadOnlyModelAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyModelAdmin):
    """All events of all orgs and of the platform."""

    list_display = ("at", "org", "actor_name", "via", "action", "kind", "name", "is_success")
    list_filter = ("org", "via", "is_success", "action")
    search_fields = ("actor_name", "name", "action", "request_id")
    date_hierarchy = "at"
