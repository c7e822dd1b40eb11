"""Addresses of ``plugins/v1``, below ``/apis/``."""

from django.urls import path

from apps.extensions.api.views import PluginListView, PluginView

app_name = "extensions_api"
urlpatterns = [
    path("plugins/v1/orgs/<str:org>/plugins", PluginListView.as_view(), name="plugin-list"),
    path(
        "plugins/v1/orgs/<str:org>/plugins/<str:kind>/<str:name>",
        PluginView.as_view(),
        name="plugin-detail",
    ),
]
