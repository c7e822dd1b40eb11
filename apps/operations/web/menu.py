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
        title="Event bus",
        icon="broadcast",
        route="operations:event-bus",
        permission="events:read",
        section="System",
        order=20,
        covers=("operations:event-bus", "operations:dead-letter"),
    ),
    MenuEntry(
        title="Modules",
        icon="sitemap",
        route="operations:modules",
        permission="system:logs",
        section="System",
        order=30,
    ),
    MenuEntry(
        title="Pipelines",
        icon="route",
        route="operations:pipeline-list",
        permission="pipelines:read",
        section="Organisation",
        order=57,
        covers=("operations:pipeline", "operations:run"),
    ),
    MenuEntry(
        title="Import and export",
        icon="switch-horizontal",
        route="operations:transfer",
        permission="rulegroups:read",
        section="Organisation",
        order=95,
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
