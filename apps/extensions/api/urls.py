"""Addresses of ``plugins/v1``, below ``/apis/``."""

from django.urls import path

from apps.extensions.api.tools.views import ToolListView, ToolRunView
from apps.extensions.api.views import (
    PluginConfigView,
    PluginDeploymentView,
    PluginListView,
    PluginSwitchView,
    PluginView,
)

_PLUGIN = "plugins/v1/orgs/<str:org>/plugins/<str:kind>/<str:name>"

app_name = "extensions_api"
urlpatterns = [
    path("plugins/v1/orgs/<str:org>/plugins", PluginListView.as_view(), name="plugin-list"),
    path("plugins/v1/orgs/<str:org>/tools", ToolListView.as_view(), name="tool-list"),
    path("plugins/v1/orgs/<str:org>/tools/<str:name>/run", ToolRunView.as_view(), name="tool-run"),
    path(_PLUGIN, PluginView.as_view(), name="plugin-detail"),
    path(f"{_PLUGIN}/enable", PluginSwitchView.as_view(is_enabled=True), name="plugin-enable"),
    path(f"{_PLUGIN}/disable", PluginSwitchView.as_view(is_enabled=False), name="plugin-disable"),
    path(f"{_PLUGIN}/config", PluginConfigView.as_view(), name="plugin-config"),
    path(f"{_PLUGIN}/deployment", PluginDeploymentView.as_view(), name="plugin-deployment"),
]
