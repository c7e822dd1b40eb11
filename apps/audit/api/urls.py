"""Addresses below ``/apis/core/v1/``."""

from django.urls import path

from apps.audit.api.views import AuditEventListView, AuditEventView

app_name = "audit-api"
urlpatterns = [
    path("orgs/<str:org>/auditevents", AuditEventListView.as_view(), name="auditevents-list"),
    path(
        "orgs/<str:org>/auditevents/<str:name>", AuditEventView.as_view(), name="auditevents-detail"
    ),
]
