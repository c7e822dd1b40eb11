"""What the sidebar shows of monitors."""

from detectviz.web.menu import MenuEntry

MENU = (
    MenuEntry(
        title="Monitors",
        icon="heart-rate-monitor",
        route="monitors:monitor-list",
        permission="monitors:read",
        section="Watch",
        order=20,
        covers=("monitors:monitor",),
    ),
    MenuEntry(
        title="Maintenance",
        icon="tool",
        route="monitors:window-list",
        permission="maintenancewindows:read",
        section="Watch",
        order=25,
        covers=("monitors:window",),
    ),
)
