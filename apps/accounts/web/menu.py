"""Entries of the sidebar."""

from detectviz.web.menu import MenuEntry

MENU = (
    MenuEntry(
        title="Settings",
        icon="building",
        route="accounts:org-edit",
        permission="orgs:update",
        section="Organisation",
        order=5,
        covers=("accounts:org-edit",),
    ),
    MenuEntry(
        title="Members",
        icon="users",
        route="accounts:member-list",
        permission="users:read",
        section="Organisation",
        order=10,
        covers=("accounts:member", "accounts:invitation"),
    ),
    MenuEntry(
        title="Teams",
        icon="users-group",
        route="accounts:team-list",
        permission="teams:read",
        section="Organisation",
        order=20,
        covers=("accounts:team",),
    ),
    MenuEntry(
        title="Roles",
        icon="shield",
        route="accounts:role-list",
        permission="roles:read",
        section="Organisation",
        order=30,
        covers=("accounts:role", "accounts:binding"),
    ),
    MenuEntry(
        title="API keys",
        icon="key",
        route="accounts:apikey-list",
        permission="apikeys:read",
        section="Organisation",
        order=40,
        covers=("accounts:apikey", "accounts:serviceaccount"),
    ),
)
