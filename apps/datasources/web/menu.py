"""What the sidebar shows of datasources."""

from detectviz.web.menu import MenuEntry

MENU = (
    MenuEntry(
        title="Datasources",
        icon="database",
        route="datasources:datasource-list",
        permission="datasources:read",
        section="Organisation",
        order=55,
        covers=("datasources:datasource",),
    ),
)
