"""What the sidebar shows of plugins."""

from detectviz.web.menu import MenuEntry

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
)
