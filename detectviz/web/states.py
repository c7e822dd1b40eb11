"""How states look: a word, a colour class and an icon, so that colour is never alone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """The face of a state; ``tone`` is a CSS class, empty for neutral."""

    label: str
    tone: str
    icon: str


LOOKS = {
    # monitors
    "up": Look("Up", "is-up", "circle-check"),
    "degraded": Look("Degraded", "is-degraded", "alert-triangle"),
    "down": Look("Down", "is-down", "circle-x"),
    "unknown": Look("Unknown", "", "help-circle"),
    "paused": Look("Paused", "", "player-pause"),
    "maintenance": Look("Maintenance", "is-accent", "tool"),
    # alerts
    "inactive": Look("Inactive", "", "circle-dashed"),
    "pending": Look("Pending", "is-degraded", "hourglass"),
    "firing": Look("Firing", "is-down", "bell-ringing"),
    "recovering": Look("Recovering", "is-accent", "refresh"),
    "resolved": Look("Resolved", "is-up", "circle-check"),
    "investigating": Look("Investigating", "is-down", "zoom-question"),
    "identified": Look("Identified", "is-degraded", "target"),
    "monitoring": Look("Monitoring", "is-accent", "eye"),
    "planned": Look("Planned", "", "clock"),
    "exhausted": Look("Nobody answered", "is-down", "alert-triangle"),
    "unreachable": Look("Cannot be reached", "is-down", "circle-x"),
    "active": Look("Active", "is-accent", "bell-off"),
    "expired": Look("Expired", "", "history"),
    "closed": Look("Closed", "", "circle-x"),
    "acknowledged": Look("Acknowledged", "is-accent", "user"),
    "snoozed": Look("Snoozed", "", "clock"),
    # rules, deliveries, parts of the system
    "ok": Look("OK", "is-up", "circle-check"),
    "warning": Look("Warning", "is-degraded", "alert-triangle"),
    "error": Look("Error", "is-down", "circle-x"),
    "queued": Look("Queued", "", "clock"),
    "retrying": Look("Retrying", "is-degraded", "refresh"),
    "sent": Look("Sent", "is-up", "check"),
    "delivered": Look("Delivered", "is-up", "check"),
    "superseded": Look("Superseded", "", "player-skip-forward"),
    "done": Look("Done", "is-up", "circle-check"),
    "cancelled": Look("Cancelled", "", "player-skip-forward"),
    "failed": Look("Failed", "is-down", "circle-x"),
    # plugins and modules
    "loaded": Look("Loaded", "is-up", "circle-check"),
    "idle": Look("Idle", "", "clock"),
    "broken": Look("Broken", "is-down", "circle-x"),
    "off": Look("Off", "", "player-pause"),
    "running": Look("Running", "is-up", "circle-check"),
    "starting": Look("Starting", "is-accent", "refresh"),
    "waiting": Look("Waiting", "", "hourglass"),
    "stopping": Look("Stopping", "is-degraded", "refresh"),
    "stopped": Look("Stopped", "", "player-pause"),
}


def look_of(state: str) -> Look:
    """Return the look of a state; an unknown one shows its own name, neutrally."""
    return LOOKS.get(state) or Look(state.replace("_", " ").capitalize(), "", "circle-dashed")
