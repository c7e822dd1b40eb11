"""Addresses of the pages."""

from django.urls import path

from apps.operations.web.views import overview, system_health

app_name = "operations"
urlpatterns = [
    path("o/<slug:org>/", overview, name="overview"),
    path("o/<slug:org>/system", system_health, name="system-health"),
]
