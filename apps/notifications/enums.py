"""Words of this app."""

from django.db import models


class DeliveryStatus(models.TextChoices):
    """Where a delivery is in its life."""

    PENDING = "pending", "Pending"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed for good"
    SUPERSEDED = "superseded", "Replaced by a newer one"


class SuppressionKind(models.TextChoices):
    """Why somebody was not told about an alert, in the order in which reasons are looked for."""

    INHIBITION = "inhibition", "Inhibited"
    ACTIVE_TIME = "active_time", "Outside active times"
    MUTE_TIME = "mute_time", "Inside mute times"
    SILENCE = "silence", "Silenced"
    MAINTENANCE = "maintenance", "Under maintenance"
    DEPENDENCY = "dependency", "Depends on what is down"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    SNOOZED = "snoozed", "Snoozed"
    FLAPPING = "flapping", "Flapping"
    GROUPING = "grouping", "Waits for its group"
    DEDUP = "dedup", "Told already"
    NO_ROUTE = "no_route", "Routed to nobody"
    DISABLED = "disabled", "Switched off"
    RATE_LIMITED = "rate_limited", "Rate limited"
    FAILED_DELIVERY = "failed_delivery", "Could not be delivered"


class SuppressionEnding(models.TextChoices):
    """Why a row of the suppression ledger was closed."""

    TOLD = "told", "The reason went away"
    CHANGED = "changed", "Other reasons took its place"
    OVER = "over", "The alert was over"
    REROUTED = "rerouted", "The alert goes elsewhere now"


class SilenceState(models.TextChoices):
    """Where a silence is in its life."""

    PENDING = "pending", "Pending"
    ACTIVE = "active", "Active"
    EXPIRED = "expired", "Expired"


class WatchdogProof(models.TextChoices):
    """What counts as proof that a synthetic alert arrived."""

    DELIVERED = "delivered", "The provider took it"
    READ_BACK = "read_back", "It was found again where it can be"
    ECHO = "echo", "The receiver called back"


class WatchdogReading(models.TextChoices):
    """Whether the message of a round was found again at the service that took it."""

    FOUND = "found", "Found again"
    MISSING = "missing", "Not found yet"
    UNREADABLE = "unreadable", "Can't be read back"
