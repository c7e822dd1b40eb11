"""Schedules, escalations, and how people want to be told."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from apps.oncall.enums import (
    EntryKind,
    IncidentSeverity,
    IncidentStatus,
    NoticeState,
    RunState,
)
from detectviz.crypto.fields import EncryptedJSONField
from detectviz.json_field import JSONField
from detectviz.resources.models import ResourceModel, name_validator, new_uid
from detectviz.tenancy.models import OrgOwned


class OnCallSchedule(ResourceModel):
    """Who is on call when. ``layers`` are as written in the spec; later ones stand above.

    ``calendar`` holds the secret of the feed's address, ``calendar_digest`` finds it.
    """

    description = models.CharField(max_length=1000, blank=True, default="")
    time_zone = models.CharField(max_length=64, default="UTC")
    layers = JSONField(default=list)
    calendar = EncryptedJSONField(default=dict)
    calendar_digest = models.CharField(max_length=64, unique=True, editable=False)


class OnCallOverride(OrgOwned):
    """Somebody who is on call for a while whatever the rotation says; the last one said counts."""

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    schedule = models.ForeignKey(OnCallSchedule, on_delete=models.CASCADE, related_name="overrides")
    participant = models.CharField(max_length=80)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["starts_at", "id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["schedule", "ends_at"], name="oncall_override_recent")
        ]

    def __str__(self) -> str:
        """Return who stands in."""
        return self.participant


class EscalationPolicy(ResourceModel):
    """Who is told, and who next while nobody answers. ``steps`` are as written in the spec.

    After the last step it begins again ``repeat`` times.
    """

    description = models.CharField(max_length=1000, blank=True, default="")
    steps = JSONField(default=list)
    repeat = models.PositiveIntegerField(default=0)


class EscalationRun(OrgOwned):
    """A policy at work on a group of alerts; ``steps`` are the policy's when it began.

    ``next_at`` is the persisted timer. One run of a group is open at a time.
    """

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    policy = models.CharField(max_length=63)
    steps = JSONField(default=list)
    repeat = models.PositiveIntegerField(default=0)
    key_digest = models.CharField(max_length=64)
    group_key = models.CharField(max_length=2000)
    group_labels = JSONField(default=dict)
    fingerprints = JSONField(default=list)
    state = models.CharField(max_length=12, choices=RunState.choices, default=RunState.RUNNING)
    round = models.PositiveIntegerField(default=0)
    step = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["-started_at", "-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["org", "key_digest"],
                condition=models.Q(ended_at__isnull=True),
                name="oncall_one_open_run",
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["next_at"],
                condition=models.Q(ended_at__isnull=True),
                name="oncall_run_due",
            ),
            models.Index(fields=["org", "-started_at"], name="oncall_run_recent"),
        ]

    def __str__(self) -> str:
        """Return policy and uid."""
        return f"{self.policy}/{self.uid}"


class EscalationNotice(OrgOwned):
    """One receiver of one step: planned, told or not needed any more. Never twice the same."""

    run = models.ForeignKey(EscalationRun, on_delete=models.CASCADE, related_name="notices")
    round = models.PositiveIntegerField()
    step = models.PositiveIntegerField()
    target = models.CharField(max_length=160)
    person = models.CharField(max_length=63, blank=True, default="")
    contact_point = models.CharField(max_length=63)
    receiver = models.CharField(max_length=63)
    state = models.CharField(
        max_length=12, choices=NoticeState.choices, default=NoticeState.PLANNED
    )
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    delivery = models.CharField(max_length=32, blank=True, default="")

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["due_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["run", "round", "step", "contact_point", "receiver"],
                name="oncall_notice_once",
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(state="planned"),
                name="oncall_notice_due",
            )
        ]

    def __str__(self) -> str:
        """Return who is told how."""
        return f"{self.person or self.contact_point} by {self.receiver}"


class ContactMethod(OrgOwned):
    """A way to reach one person: a notifier with its settings, verified by a test that arrived."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="contact_methods"
    )
    name = models.CharField(max_length=63, validators=[name_validator])
    notifier = models.CharField(max_length=63)
    config = JSONField(default=dict)
    secrets = EncryptedJSONField(default=dict)
    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    verified_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["org", "user", "name"], name="oncall_method_unique")
        ]

    def __str__(self) -> str:
        """Return the name."""
        return self.name


class NotificationPreference(OrgOwned):
    """How one person wants to be told in one org.

    ``rules`` are ``{"severities": [...], "method": name, "delay_s": n}``; no severities mean all.
    Quiet hours lie between two times of day of ``time_zone``; what is told within them waits for
    their end, unless its severity is in ``quiet_except``.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notification_preferences"
    )
    rules = JSONField(default=list)
    time_zone = models.CharField(max_length=64, default="UTC")
    quiet_start = models.CharField(max_length=5, blank=True, default="")
    quiet_end = models.CharField(max_length=5, blank=True, default="")
    quiet_except = JSONField(default=list)

    class Meta(OrgOwned.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["org", "user"], name="oncall_preference_unique")
        ]

    def __str__(self) -> str:
        """Return whose it is."""
        return str(self.user)


class ChatCallback(ResourceModel):
    """A door through which a chat service tells which button somebody pressed.

    ``uid`` stands in its address; ``secrets`` holds ``key``, by which the service is known.
    ``service`` is a notifier that takes presses, or ``generic``.
    """

    service = models.CharField(max_length=63)
    secrets = EncryptedJSONField(default=dict)
    enabled = models.BooleanField(default=True)


class CallbackSeen(OrgOwned):
    """A request that was taken: the same one is not taken twice."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    at = models.DateTimeField()

    class Meta(OrgOwned.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["at"], name="oncall_seen_age")
        ]

    def __str__(self) -> str:
        """Return the digest."""
        return self.digest


class Incident(ResourceModel):
    """Something that is wrong, with the alerts, people and words that belong to it.

    ``roles`` maps a role to a person. While it is not resolved, firing alerts that ``matchers``
    match join it by themselves; without matchers none does.
    """

    summary = models.TextField(blank=True, default="")
    severity = models.CharField(
        max_length=8, choices=IncidentSeverity.choices, default=IncidentSeverity.MAJOR
    )
    status = models.CharField(
        max_length=13, choices=IncidentStatus.choices, default=IncidentStatus.INVESTIGATING
    )
    roles = JSONField(default=dict)
    matchers = JSONField(default=list)
    opened_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta(ResourceModel.Meta):
        ordering: ClassVar[list[str]] = ["-opened_at", "-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["org", "-opened_at"], name="oncall_incident_recent"),
            models.Index(
                fields=["org"],
                condition=models.Q(resolved_at__isnull=True),
                name="oncall_incident_open",
            ),
        ]


class IncidentAlert(OrgOwned):
    """An alert of an incident, as it was when it joined; it may be long gone."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="alerts")
    fingerprint = models.CharField(max_length=32)
    labels = JSONField(default=dict)
    joined_at = models.DateTimeField()

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["joined_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["incident", "fingerprint"], name="oncall_incident_alert_once"
            )
        ]

    def __str__(self) -> str:
        """Return the fingerprint."""
        return self.fingerprint


class IncidentEntry(OrgOwned):
    """One line of an incident's own story: a note, or what somebody changed."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="entries")
    kind = models.CharField(max_length=8, choices=EntryKind.choices)
    at = models.DateTimeField()
    actor_name = models.CharField(max_length=150)
    text = models.TextField()

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["at", "id"]

    def __str__(self) -> str:
        """Return what it says."""
        return self.text
