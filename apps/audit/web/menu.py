"""Entry of the sidebar."""

from detectviz.web.menu import MenuEntry

MENU = (
    MenuEntry(
        title="Audit log",
        icon="history",
        route="audit:audit-list",
        permission="audit:read",
        section="Organisation",
        order=90,
        covers=("audit:",),
    ),
)
