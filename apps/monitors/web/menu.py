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
        covers=("monitors:",),
    ),
)
