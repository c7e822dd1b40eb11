"""What the sidebar shows of on-call duty."""

from detectviz.web.menu import MenuEntry

MENU = (
    MenuEntry(
        title="Incidents",
        icon="speakerphone",
        route="oncall:incident-list",
        permission="incidents:read",
        section="Alert",
        order=15,
        covers=("oncall:incident",),
    ),
    MenuEntry(
        title="On call",
        icon="users",
        route="oncall:schedule-list",
        permission="oncallschedules:read",
        section="Alert",
        order=10,
        group="on-call",
        covers=("oncall:schedule", "oncall:override", "oncall:calendar"),
    ),
    MenuEntry(
        title="Escalation",
        icon="users-group",
        route="oncall:policy-list",
        permission="escalations:read",
        section="Alert",
        order=20,
        group="on-call",
        covers=("oncall:policy", "oncall:escalation"),
    ),
    MenuEntry(
        title="Chat buttons",
        icon="robot",
        route="oncall:callback-list",
        permission="contactpoints:read",
        section="Alert",
        order=40,
        group="notifications",
        covers=("oncall:callback",),
    ),
)
