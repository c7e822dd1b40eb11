"""What the sidebar shows of notifications."""

from detectviz.web.menu import MenuEntry

MENU = (
    MenuEntry(
        title="Contact points",
        icon="address-book",
<<<<<<< HEAD
        route="notifications:contactpoint-list",
        permission="contactpoints:read",
        section="Alert",
        order=40,
        covers=("notifications:contactpoint", "notifications:receiver"),
=======
        route="notifications:contact-point-list",
        permission="contactpoints:read",
        section="Alert",
        order=60,
        covers=("notifications:contact-point", "notifications:receiver"),
>>>>>>> 5e765e8 (Show who is told: contact points, the routing tree, the delivery log)
    ),
    MenuEntry(
        title="Routing",
        icon="route",
        route="notifications:routing-tree",
        permission="routingtrees:read",
        section="Alert",
<<<<<<< HEAD
        order=50,
        covers=("notifications:routing",),
=======
        order=70,
        covers=("notifications:rout",),
>>>>>>> 5e765e8 (Show who is told: contact points, the routing tree, the delivery log)
    ),
    MenuEntry(
        title="Deliveries",
        icon="send",
        route="notifications:delivery-list",
        permission="deliveries:read",
        section="Alert",
<<<<<<< HEAD
        order=60,
=======
        order=80,
        covers=("notifications:delivery",),
>>>>>>> 5e765e8 (Show who is told: contact points, the routing tree, the delivery log)
    ),
)
