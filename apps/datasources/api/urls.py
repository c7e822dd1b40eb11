"""Addresses below one datasource that are no registered kinds."""

from django.urls import path

from apps.datasources.api.views import ProxyView, ResourceCallView

app_name = "datasources-api"
_BASE = "orgs/<str:org>/datasources/<str:name>"
urlpatterns = [
    path(f"{_BASE}/resources/<path:path>", ResourceCallView.as_view(), name="resources"),
    path(f"{_BASE}/proxy/<path:path>", ProxyView.as_view(), name="proxy"),
]
