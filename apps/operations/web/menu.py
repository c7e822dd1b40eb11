"""What the sidebar shows of the whole."""

from detectviz.web.menu import MenuEntry

MENU = (
    MenuEntry(
        title="Overview",
        icon="layout-dashboard",
        route="operations:overview",
        permission="monitors:read",
        section="Watch",
        order=10,
    ),
    MenuEntry(
        title="System health",
        icon="activity",
        route="operations:system-health",
        permission="system:read",
        section="System",
        order=90,
    ),
)
