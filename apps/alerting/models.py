"""Rule groups, their rules, the alerts these raise, and what happened to them."""

import json
from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models

from apps.alerting.enums import (
    HANDLED_WORDS,
    AlertCondition,
    AlertState,
    AssigneeKind,
    ErrorPolicy,
    HandlingAction,
    NoDataPolicy,
    RuleEvaluator,
    RuleHealth,
    RuleKind,
)
from detectviz.json_field import JSONField
from detectviz.resources.models import ResourceModel, new_uid
from detectviz.tenancy.models import OrgOwned


class RuleGroup(ResourceModel):
    """Rules evaluated in order on one timestamp, every ``interval_ms``.

    ``spec_rules`` are the rules as the user wrote them, ``shared_labels`` the group's own labels.
    The schedule belongs to whoever holds the lease; ``epoch`` fences out a lost holder.
    """

    interval_ms = models.PositiveBigIntegerField(default=60_000)
    limit = models.PositiveIntegerField(default=0)
    query_offset_ms = models.PositiveBigIntegerField(default=0)
    evaluation = models.CharField(
        max_length=10, choices=RuleEvaluator.choices, default=RuleEvaluator.ENGINE
    )
    shared_labels = JSONField(default=dict, blank=True)
    spec_rules = JSONField(default=list, blank=True)
    is_builtin = models.BooleanField(default=False)
    owner = models.CharField(max_length=80, blank=True, default="")  # "SLO checkout": generated
    is_enabled = models.BooleanField(default=True)

    next_due_at = models.DateTimeField(null=True, blank=True)
    lease_owner = models.CharField(max_length=100, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    epoch = models.PositiveBigIntegerField(default=0)
    last_eval_at = models.DateTimeField(null=True, blank=True)
    last_duration_s = models.FloatField(null=True, blank=True)
    asks_datasources = models.BooleanField(default=False)  # evaluated where nobody waits for it
    missed_iterations = models.PositiveBigIntegerField(default=0)

    class Meta(ResourceModel.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["next_due_at"],
                condition=models.Q(is_enabled=True),
                name="alerting_group_due",
            )
        ]


class GeneratedRules(ResourceModel):
    """A resource whose rules are generated into a group of its own; ``spec`` is as written."""

    KIND: ClassVar[str]
    PREFIX: ClassVar[str]

    spec = JSONField(default=dict)
    is_enabled = models.BooleanField(default=True)

    class Meta(ResourceModel.Meta):
        abstract = True

    @property
    def group_name(self) -> str:
        """The name of the group."""
        return f"{self.PREFIX}-{self.name}"

    @property
    def reference(self) -> str:
        """What the group says it belongs to."""
        return f"{self.KIND} {self.name}"


class Slo(GeneratedRules):
    """A service level objective."""

    KIND = "SLO"
    PREFIX = "slo"


class AnomalyRule(GeneratedRules):
    """A watch on what is unusual for the hour of the week."""

    KIND = "AnomalyRule"
    PREFIX = "anomaly"


class Rule(OrgOwned):
    """One rule of a group, in its place; keeps its alerts while name and labels stay the same."""

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    group = models.ForeignKey(RuleGroup, on_delete=models.CASCADE, related_name="rules")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=RuleKind.choices)
    name = models.CharField(max_length=255)
    expr = models.TextField(blank=True)  # PromQL, empty where datasources are asked
    queries = JSONField(default=list, blank=True)
    condition = models.CharField(max_length=64, blank=True, default="")
    for_ms = models.PositiveBigIntegerField(default=0)
    keep_firing_for_ms = models.PositiveBigIntegerField(default=0)
    labels = JSONField(default=dict, blank=True)
    annotations = JSONField(default=dict, blank=True)
    no_data = models.CharField(max_length=10, choices=NoDataPolicy.choices, default=NoDataPolicy.OK)
    on_error = models.CharField(
        max_length=10, choices=ErrorPolicy.choices, default=ErrorPolicy.KEEP_LAST
    )
    missing_series_evaluations = models.PositiveSmallIntegerField(default=0)
    recovery_expr = models.TextField(blank=True, default="")
    recovery_condition = models.CharField(max_length=64, blank=True, default="")
    limit = models.PositiveIntegerField(default=0)  # 0: the group's
    low_flap_threshold = models.PositiveSmallIntegerField(null=True, blank=True)
    high_flap_threshold = models.PositiveSmallIntegerField(null=True, blank=True)
    holds_flapping = models.BooleanField(default=False)
    depends_on = JSONField(default=list, blank=True)
    is_enabled = models.BooleanField(default=True)

    failing_datasources = JSONField(default=list, blank=True)  # uids, at the last evaluation
    health = models.CharField(max_length=10, choices=RuleHealth.choices, default=RuleHealth.UNKNOWN)
    last_error = models.TextField(blank=True, default="")
    first_eval_at = models.DateTimeField(null=True, blank=True)  # None: never since it is enabled

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["group_id", "position"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["group", "position"], name="alerting_rule_order"),
            models.Index(fields=["org", "name"], name="alerting_rule_name"),
        ]

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    @property
    def asked(self) -> str:
        """What the rule asks, as text: PromQL, or its queries and condition as JSON."""
        if not self.queries:
            return self.expr
        return json.dumps({"condition": self.condition, "queries": self.queries}, indent=2)

    @property
    def dependencies_text(self) -> str:
        """What the rule depends on, in a line."""
        return ", ".join(
            entry if isinstance(entry, str) else json.dumps(entry) for entry in self.depends_on
        )

    @property
    def last_eval_at(self) -> datetime | None:
        """When the rule was last evaluated: with its group, if it has been at all."""
        return None if self.first_eval_at is None else self.group.last_eval_at


class Alert(OrgOwned):
    """One label set of a rule that is active, or resolved not longer ago than 15 minutes.

    ``value`` is text so that NaN and infinities survive every database; ``suppressed_by`` says
    what keeps its notifications back and never changes ``state``. Read as a resource like any
    other: ``name`` is the rule's uid and the fingerprint, the envelope's remaining parts follow.

    An alert that another program sent (through Alertmanager's API) has no rule: ``sender`` says
    who sent it, ``generator_url`` where it comes from, and its name begins with ``external-``.
    """

    name = models.CharField(max_length=63)
    folder = models.ForeignKey(
        settings.DETECTVIZ_FOLDER_MODEL,
        on_delete=models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
    )  # the group's, so that who may look into the folder sees its alerts
    rule = models.ForeignKey(
        Rule, on_delete=models.CASCADE, related_name="alerts", null=True, blank=True
    )
    fingerprint = models.CharField(max_length=16)
    labels = JSONField()
    annotations = JSONField(default=dict, blank=True)
    state = models.CharField(max_length=10, choices=AlertState.choices)
    condition = models.CharField(
        max_length=10, choices=AlertCondition.choices, blank=True, default=""
    )
    value = models.CharField(max_length=32)
    active_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True, blank=True)
    keep_firing_since = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    last_sent_at = models.DateTimeField(null=True, blank=True)
    suppressed_by = JSONField(default=list, blank=True)
    source = JSONField(default=dict, blank=True)  # labels of the answer itself
    sender = models.CharField(max_length=200, blank=True, default="")
    generator_url = models.TextField(blank=True, default="")
    reason = models.CharField(max_length=20, blank=True, default="")
    missed = models.PositiveSmallIntegerField(default=0)  # evaluations without its series
    is_flapping = models.BooleanField(default=False)
    flips = JSONField(default=list, blank=True)  # when it began or ceased to fire

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["active_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Of a rule, the name is its uid and the fingerprint: the one names the other.
            models.UniqueConstraint(fields=["org", "name"], name="alerting_alert_name"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["org", "state"], name="alerting_alert_state"),
            models.Index(fields=["org", "fingerprint"], name="alerting_alert_fingerprint"),
            models.Index(
                fields=["org"],
                condition=models.Q(is_flapping=True),
                name="alerting_alert_flapping",
            ),
        ]

    def __str__(self) -> str:
        """Return the alert's name and fingerprint."""
        return f"{self.labels.get('alertname', '')} {self.fingerprint}"

    @property
    def is_external(self) -> bool:
        """True for an alert that another program sent."""
        return self.rule_id is None

    @property
    def rule_name(self) -> str:
        """The name of the rule; of an external alert its ``alertname``."""
        return str(self.labels.get("alertname", "")) if self.rule is None else self.rule.name

    @property
    def group_name(self) -> str:
        """The name of the rule group; empty for an external alert."""
        return "" if self.rule is None else str(self.rule.group.name)

    @property
    def uid(self) -> str:
        """The public identifier, which is also the name."""
        return self.name

    @property
    def created_at(self) -> datetime:
        """Since when the alert is active."""
        return self.active_at

    @property
    def updated_at(self) -> datetime:
        """When the alert last changed its state."""
        return self.resolved_at or self.fired_at or self.active_at

    @property
    def resource_version(self) -> int:
        """Alerts are not written by clients, so they have one version."""
        return 1

    generation = resource_version


class AlertEvent(OrgOwned):
    """One transition of one alert; outlives the alert, its rule and its group."""

    rule = models.ForeignKey(
        Rule, on_delete=models.SET_NULL, related_name="events", null=True, blank=True
    )
    group_name = models.CharField(max_length=63)
    rule_name = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=16)
    labels = JSONField()
    annotations = JSONField(default=dict, blank=True)
    previous = models.CharField(max_length=10, choices=AlertState.choices)
    state = models.CharField(max_length=10, choices=AlertState.choices)
    reason = models.CharField(max_length=20, blank=True, default="")
    value = models.CharField(max_length=32)
    at = models.DateTimeField()

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["-at", "-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["org", "fingerprint", "-at"], name="alerting_event_alert"),
            models.Index(fields=["org", "-at"], name="alerting_event_recent"),
            models.Index(fields=["at"], name="alerting_event_age"),
        ]

    def __str__(self) -> str:
        """Return what changed."""
        return f"{self.rule_name}: {self.previous} → {self.state}"


class AlertHandling(OrgOwned):
    """What people decided about one firing of an alert, found by fingerprint wherever it came from.

    It speaks of the firing that began at ``starts_at`` and ends with it: a later one finds
    nothing here. ``closed_at`` keeps what its rule still finds from being told.
    """

    fingerprint = models.CharField(max_length=32)
    starts_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=150, blank=True, default="")
    acknowledged_until = models.DateTimeField(null=True, blank=True)
    assignee_kind = models.CharField(
        max_length=4, choices=AssigneeKind.choices, blank=True, default=""
    )
    assignee = models.CharField(max_length=63, blank=True, default="")
    snoozed_at = models.DateTimeField(null=True, blank=True)
    snoozed_by = models.CharField(max_length=150, blank=True, default="")
    snoozed_until = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True, default="")

    class Meta(OrgOwned.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["org", "fingerprint"], name="alerting_handling_unique")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["org"],
                condition=models.Q(closed_at__isnull=False),
                name="alerting_handling_closed",
            )
        ]

    def __str__(self) -> str:
        """Return the fingerprint."""
        return self.fingerprint

    def speaks_of(self, starts_at: datetime) -> bool:
        """Say whether this is about the firing that began then, not about an earlier one."""
        return self.starts_at >= starts_at

    def is_acknowledged(self, now: datetime) -> bool:
        """Say whether somebody has taken it and the time they took it for is not over."""
        until = self.acknowledged_until
        return self.acknowledged_at is not None and (until is None or now < until)

    def is_snoozed(self, now: datetime) -> bool:
        """Say whether nobody wants to hear of it for now."""
        return self.snoozed_until is not None and now < self.snoozed_until


class HandlingEvent(OrgOwned):
    """One thing somebody did about an alert; outlives the alert and its handling.

    ``after_s`` are the seconds since it fired: of an acknowledgement, the time to acknowledge.
    """

    fingerprint = models.CharField(max_length=32)
    action = models.CharField(max_length=13, choices=HandlingAction.choices)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )
    actor_name = models.CharField(max_length=150)
    at = models.DateTimeField()
    comment = models.TextField(blank=True, default="")
    details = JSONField(default=dict, blank=True)
    group_name = models.CharField(max_length=63, blank=True, default="")
    rule_name = models.CharField(max_length=255, blank=True, default="")
    fired_at = models.DateTimeField(null=True, blank=True)
    after_s = models.FloatField(null=True, blank=True)

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["-at", "-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["org", "fingerprint", "-at"], name="alerting_handled_alert"),
            models.Index(fields=["org", "group_name", "rule_name"], name="alerting_handled_rule"),
            models.Index(fields=["at"], name="alerting_handled_age"),
        ]

    @property
    def words(self) -> str:
        """What was done, to be read after who did it."""
        return HANDLED_WORDS.get(self.action, self.action)

    def __str__(self) -> str:
        """Return who did what."""
        return f"{self.actor_name}: {self.action}"
