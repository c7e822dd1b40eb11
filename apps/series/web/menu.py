"""What the sidebar shows of the series."""

from detectviz.web.menu import MenuEntry

MENU = (
    MenuEntry(
        title="Explore",
        icon="zoom-question",
        route="series:explore",
        permission="series:read",
        section="Show",
        order=10,
    ),
    MenuEntry(
        title="Metrics",
        icon="chart-line",
        route="series:metrics",
        permission="series:read",
        section="Show",
        order=20,
    ),
    MenuEntry(
        title="Series",
        icon="gauge",
        route="series:usage",
        permission="series:read",
        section="Organisation",
        order=60,
    ),
)
