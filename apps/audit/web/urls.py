"""Addresses of the pages."""

from django.urls import path

from apps.audit.web.views import audit_detail, audit_index

app_name = "audit"
urlpatterns = [
    path("o/<str:org>/audit", audit_index, name="audit-list"),
    path("o/<str:org>/audit/<str:uid>", audit_detail, name="audit-detail"),
]
