"""The closed sets of words this app stores."""

from django.db import models

from detectviz.contracts.types import CheckState


class MonitorStateName(models.TextChoices):
    """State of a monitor, spelled as the collectors' contract spells it."""

    UP = CheckState.UP.value, "Up"
    DEGRADED = CheckState.DEGRADED.value, "Degraded"
    DOWN = CheckState.DOWN.value, "Down"
    UNKNOWN = CheckState.UNKNOWN.value, "Unknown"


class PingKind(models.TextChoices):
    """What a push said: done, begun or failed."""

    SUCCESS = "success", "Success"
    START = "start", "Start"
    FAIL = "fail", "Fail"


STATE_CODES: dict[CheckState, int] = {
    CheckState.DOWN: 0,
    CheckState.UP: 1,
    CheckState.DEGRADED: 2,
    CheckState.UNKNOWN: 3,
}
"""Values of the metric ``probe_state``."""

STATES_BY_CODE: dict[int, CheckState] = {code: state for state, code in STATE_CODES.items()}


class WindowStrategy(models.TextChoices):
    """How a maintenance window says when it is."""

    ONCE = "once", "Once"
    CRON = "cron", "By a cron expression"
    WEEKLY = "weekly", "On days of the week"
    MONTHLY = "monthly", "On days of the month"


class WindowState(models.TextChoices):
    """Where a maintenance window is in its life."""

    ACTIVE = "active", "In maintenance"
    SCHEDULED = "scheduled", "Scheduled"
    OVER = "over", "Over"
    DISABLED = "disabled", "Switched off"
