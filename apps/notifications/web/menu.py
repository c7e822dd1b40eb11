"""What the sidebar shows of notifications."""

from detectviz.web.menu import MenuEntry

MENU = (
    MenuEntry(
        title="Contact points",
        icon="address-book",
        route="notifications:contactpoint-list",
        permission="contactpoints:read",
        section="Alert",
        order=60,
        covers=("notifications:contactpoint", "notifications:receiver"),
    ),
    MenuEntry(
        title="Message templates",
        icon="edit",
        route="notifications:template-list",
        permission="notificationtemplates:read",
        section="Alert",
        order=65,
        covers=("notifications:template",),
    ),
    MenuEntry(
        title="Routing",
        icon="route",
        route="notifications:routing-tree",
        permission="routingtrees:read",
        section="Alert",
        order=70,
        covers=("notifications:rout",),
    ),
    MenuEntry(
        title="Times",
        icon="hourglass",
        route="notifications:timeinterval-list",
        permission="timeintervals:read",
        section="Alert",
        order=72,
        covers=("notifications:timeinterval",),
    ),
    MenuEntry(
        title="Inhibition",
        icon="git-branch",
        route="notifications:inhibitionrule-list",
        permission="inhibitionrules:read",
        section="Alert",
        order=76,
        covers=("notifications:inhibitionrule",),
    ),
    MenuEntry(
        title="Deliveries",
        icon="send",
        route="notifications:delivery-list",
        permission="deliveries:read",
        section="Alert",
        order=80,
        covers=("notifications:delivery",),
    ),
    MenuEntry(
        title="Not told",
        icon="bell-off",
        route="notifications:suppression-list",
        permission="alerts:read",
        section="Alert",
        order=90,
        covers=("notifications:suppression",),
    ),
)
