"""The closed vocabularies of alerting."""

from django.db import models


class RuleKind(models.TextChoices):
    """What a rule makes of its expression."""

    ALERTING = "alerting"
    RECORDING = "recording"


class RuleEvaluator(models.TextChoices):
    """Who evaluates the expressions of a group."""

    ENGINE = "engine"
    BACKEND = "backend"


class RuleHealth(models.TextChoices):
    """How the last evaluation of a rule went."""

    UNKNOWN = "unknown"
    OK = "ok"
    ERROR = "err"


class AlertState(models.TextChoices):
    """Where one alert stands; suppression is beside it and never changes it.

    ``recovering`` is Prometheus' firing inside ``keep_firing_for``: the element is gone already.
    """

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"
    RESOLVED = "resolved"


class AlertCondition(models.TextChoices):
    """Why an alert's state is not the plain answer of its expression; empty when it is."""

    NO_DATA = "no_data"
    ERROR = "error"


class NoDataPolicy(models.TextChoices):
    """What a rule does when nothing its expression reads has a value."""

    OK = "ok"
    ALERTING = "alerting"
    NO_DATA = "no_data"
    KEEP_LAST = "keep_last"


class ErrorPolicy(models.TextChoices):
    """What a rule does when its expression can't be evaluated."""

    KEEP_LAST = "keep_last"
    ALERTING = "alerting"
    ERROR = "error"
    OK = "ok"


class TransitionReason(models.TextChoices):
    """Why an alert changed, where the expression alone does not say it.

    Words as in Grafana where it has one; ``RuleRemoved`` and ``Disabled`` in older history are
    what ``RuleDeleted`` or ``Updated``, and ``Paused`` are now.
    """

    NO_DATA = "NoData"
    ERROR = "Error"
    FOR_RAISED = "ForRaised"
    LIMIT_EXCEEDED = "LimitExceeded"
    MISSING_SERIES = "MissingSeries"
    RULE_DELETED = "RuleDeleted"
    UPDATED = "Updated"
    PAUSED = "Paused"
    SENDER_SILENT = "SenderSilent"


class HandlingAction(models.TextChoices):
    """What people do about an alert."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    ASSIGN = "assign"
    SNOOZE = "snooze"
    UNSNOOZE = "unsnooze"
    COMMENT = "comment"
    CLOSE = "close"


# What is read in a history: who did it stands before.
HANDLED_WORDS = {
    HandlingAction.ACKNOWLEDGE.value: "acknowledged",
    HandlingAction.UNACKNOWLEDGE.value: "gave it back",
    HandlingAction.ASSIGN.value: "assigned it",
    HandlingAction.SNOOZE.value: "snoozed it",
    HandlingAction.UNSNOOZE.value: "ended the snooze",
    HandlingAction.COMMENT.value: "commented",
    HandlingAction.CLOSE.value: "closed it",
}


class AssigneeKind(models.TextChoices):
    """Whom an alert can be assigned to."""

    USER = "user"
    TEAM = "team"
