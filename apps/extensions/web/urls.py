"""Addresses of what pages show of plugins."""

from django.urls import path

from apps.extensions.web.views import plugin_asset, plugin_icon

app_name = "extensions"
urlpatterns = [
    path("plugins/<slug:kind>/<slug:name>/icon.svg", plugin_icon, name="plugin-icon"),
    path(
        "plugins/assets/<slug:kind>/<slug:name>/<slug:digest>/<path:path>",
        plugin_asset,
        name="plugin-asset",
    ),
]
