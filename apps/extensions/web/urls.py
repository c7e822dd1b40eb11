"""Addresses of the pages of plugins, and of what pages show of them."""

from django.urls import path

from apps.extensions.web.views import actions, appearance, assets, plugins, sites, tools

_ONE = "o/<slug:org>/plugins/<slug:kind>/<slug:name>"

app_name = "extensions"
urlpatterns = [
    path("plugins/<slug:kind>/<slug:name>/icon.svg", assets.plugin_icon, name="plugin-icon"),
    path(
        "plugins/assets/<slug:kind>/<slug:name>/<slug:digest>/<path:path>",
        assets.plugin_asset,
        name="plugin-asset",
    ),
    path(
        "plugins/themes/<slug:name>/<slug:digest>.css", appearance.theme_sheet, name="theme-sheet"
    ),
    path("o/<slug:org>/appearance", appearance.appearance, name="appearance"),
    path(
        "o/<slug:org>/appearance/default",
        appearance.appearance_default,
        name="appearance-default",
    ),
    path("o/<slug:org>/x/<slug:plugin>/", sites.site_page, name="x-home"),
    path("o/<slug:org>/x/<slug:plugin>/<path:path>", sites.site_page, name="x-page"),
    path("o/<slug:org>/tools", tools.tool_list, name="tool-list"),
    path("o/<slug:org>/tools/<slug:name>", tools.tool_page, name="tool"),
    path("o/<slug:org>/plugins", plugins.plugin_index, name="plugin-list"),
    path(_ONE, plugins.plugin_detail, name="plugin-detail"),
    path(f"{_ONE}/settings", actions.plugin_settings_save, name="plugin-settings"),
    path(f"{_ONE}/switch/<slug:word>", actions.plugin_switch_org, name="plugin-switch"),
    path(
        f"{_ONE}/deployment/<slug:word>",
        actions.plugin_switch_deployment,
        name="plugin-switch-deployment",
    ),
    path(f"{_ONE}/approve", actions.plugin_approve_page, name="plugin-approve"),
    path(f"{_ONE}/withdraw", actions.plugin_withdraw_page, name="plugin-withdraw"),
]
