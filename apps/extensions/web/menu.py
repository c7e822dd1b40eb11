"""What the sidebar shows of plugins."""

from urllib.parse import urlencode

from django.urls import reverse

from apps.extensions.services.pages import site_list
from apps.extensions.services.themes import theme_address
from detectviz.web.menu import MenuEntry, Scope, Widget

MENU = (
    MenuEntry(
        title="Plugins",
        icon="plug",
        route="extensions:plugin-list",
        permission="plugins:read",
        section="System",
        order=10,
        covers=("extensions:plugin",),
    ),
    MenuEntry(
        title="Tools",
        icon="tool",
        route="extensions:tool-list",
        permission="tools:execute",
        section="Watch",
        order=90,
        covers=("extensions:tool",),
    ),
)


def entries_for(scope: Scope) -> list[MenuEntry]:
    """Return the links that plugins of pages add for an org; they have run for nobody yet."""
    return [
        MenuEntry(
            title=node.title,
            icon=node.icon,
            route="extensions:x-page" if node.route.path else "extensions:x-home",
            args=(plugin.name, node.route.path) if node.route.path else (plugin.name,),
            permission=node.route.permission,
            section=node.section,
            order=node.order,
        )
        for plugin, site in site_list(scope.org.name)
        for node in site.navigation
        if "<" not in node.route.path
    ]


def sheets_for(scope: Scope) -> list[str]:
    """Return the style sheet of the theme that the reader sees, if it is not the plain look."""
    found = theme_address(user=scope.user, org=scope.org)
    return [found] if found else []


def widgets_for(scope: Scope, slot: str, subject: str) -> list[Widget]:
    """Return the widgets that plugins of pages offer for a slot and the reader may see."""
    query = f"?{urlencode({'subject': subject})}" if subject else ""
    return [
        Widget(
            title=part.title,
            url=reverse(
                "extensions:x-page", args=[scope.org.name, plugin.name, f"_widgets/{part.name}"]
            )
            + query,
        )
        for plugin, site in site_list(scope.org.name)
        for part in site.widgets
        if part.slot == slot and scope.can(part.permission)
    ]
