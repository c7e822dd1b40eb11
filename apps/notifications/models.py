"""Contact points, the tree, alerts on their way, groups, and the delivery log."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from apps.notifications.enums import (
    DeliveryStatus,
    SuppressionEnding,
    SuppressionKind,
    WatchdogProof,
)
from detectviz.crypto.fields import EncryptedJSONField
from detectviz.json_field import JSONField
from detectviz.resources.models import ResourceModel, new_uid
from detectviz.tenancy.models import OrgOwned


class ContactPoint(ResourceModel):
    """Receivers that are told together.

    ``receivers`` is the list of the spec without secrets, each with a name of its own;
    ``secrets`` maps ``"<receiver>/<secret>"`` to the value. ``fallback`` names the contact point
    that is told instead where a delivery ends failed, or is held back for ``fallback_after_ms``;
    a delivery is given up after ``give_up_after_ms``.
    """

    receivers = JSONField(default=list)
    secrets = EncryptedJSONField(default=dict)
    fallback = models.CharField(max_length=63, blank=True, default="")
    fallback_after_ms = models.PositiveBigIntegerField(default=300_000)
    give_up_after_ms = models.PositiveBigIntegerField(default=86_400_000)


class NotificationTemplate(ResourceModel):
    """Named Go templates (``{{ define "name" }}``) for titles, texts and notifiers' own fields.

    ``sample`` is the payload its preview was last shown with; empty for the built-in one.
    """

    folder = None  # contact points of all folders refer to it
    template = models.TextField()
    sample = JSONField(default=dict, blank=True)


class RoutingTree(ResourceModel):
    """The org's tree of routes (one, named ``default``); ``root`` is the spec as written."""

    root = JSONField(default=dict)


class RoutedAlert(OrgOwned):
    """The latest word about one alert, as the evaluator said it.

    Written in the evaluation's transaction: ``version`` ahead of ``routed_version`` means the
    dispatcher has not looked at it yet. This is the outbox of alerting.

    Other programs' alerts arrive here too (``is_external``); ``is_timeout`` marks an end that we
    set because its sender named none.
    """

    fingerprint = models.CharField(max_length=32)
    labels = JSONField()
    annotations = JSONField(default=dict)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    is_resolved = models.BooleanField(default=False)
    value = models.FloatField(null=True, blank=True)
    rule_group = models.CharField(max_length=63, blank=True, default="")
    rule = models.CharField(max_length=255, blank=True, default="")
    generator_url = models.TextField(blank=True, default="")
    is_external = models.BooleanField(default=False)
    is_timeout = models.BooleanField(default=False)
    version = models.PositiveBigIntegerField(default=1)
    routed_version = models.PositiveBigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["org", "fingerprint"], name="notifications_alert_unique"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["org"],
                condition=models.Q(routed_version__lt=models.F("version")),
                name="notifications_alert_unrouted",
            ),
            models.Index(
                fields=["ends_at"],
                condition=models.Q(is_external=True, is_resolved=False),
                name="notifications_alert_ends",
            ),
        ]


class AlertGroup(OrgOwned):
    """Alerts of one route with equal group labels, notified together.

    ``next_flush_at`` is the persisted timer; ``flush_number`` counts flushes and is part of every
    delivery's idempotency key. The options are the route's at the time of routing.
    """

    group_key = models.CharField(max_length=2000)
    key_digest = models.CharField(max_length=64)
    contact_point = models.CharField(max_length=63)
    group_labels = JSONField(default=dict)
    group_wait_ms = models.PositiveBigIntegerField()
    group_interval_ms = models.PositiveBigIntegerField()
    repeat_interval_ms = models.PositiveBigIntegerField()
    route_options = JSONField(default=dict)  # what a route says beside who and when
    created_at = models.DateTimeField()
    next_flush_at = models.DateTimeField()
    has_flushed = models.BooleanField(default=False)
    flush_number = models.PositiveBigIntegerField(default=0)
    alerts = models.ManyToManyField(RoutedAlert, related_name="groups")

    class Meta(OrgOwned.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["org", "key_digest"], name="notifications_group_unique")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["next_flush_at"], name="notifications_group_due")
        ]


class NotificationRecord(OrgOwned):
    """What a receiver of a group was last told (Alertmanager's notification log entry).

    ``thread`` is ``{"notifier": name, "data": …}``: what the notifier wants to remember of the
    group until it is over; empty where there is nothing.
    """

    key_digest = models.CharField(max_length=64)
    contact_point = models.CharField(max_length=63)
    receiver = models.CharField(max_length=63)
    firing = JSONField(default=list)
    resolved = JSONField(default=list)
    sent_at = models.DateTimeField()
    thread = JSONField(default=dict)

    class Meta(OrgOwned.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["org", "key_digest", "contact_point", "receiver"],
                name="notifications_record_unique",
            )
        ]


class Delivery(OrgOwned):
    """One notification for one receiver, and what became of it.

    ``uid`` is what receivers deduplicate by; (group, receiver, flush) is unique. ``history`` is
    the latest attempts, oldest first. ``fallback_of`` is the delivery this one stands in for,
    ``fallback_at`` when others were told instead of this one. Somebody who has a dead letter
    sent again sets ``replayed_at``; its age counts anew then.
    """

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    group_key = models.CharField(max_length=2000)
    key_digest = models.CharField(max_length=64)
    contact_point = models.CharField(max_length=63)
    receiver = models.CharField(max_length=63)
    notifier = models.CharField(max_length=63)
    flush_number = models.PositiveBigIntegerField()
    payload = JSONField()
    firing = JSONField(default=list)
    resolved = JSONField(default=list)
    status = models.CharField(
        max_length=12, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING
    )
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    lease_owner = models.CharField(max_length=200, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=30, blank=True, default="")
    error = models.TextField(blank=True, default="")
    status_code = models.PositiveIntegerField(null=True, blank=True)
    answer = models.TextField(blank=True, default="")
    external_id = models.CharField(max_length=500, blank=True, default="")
    request_digest = models.CharField(max_length=64, blank=True, default="")
    duration_s = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    history = JSONField(default=list)
    fallback_of = models.CharField(max_length=32, blank=True, default="")
    fallback_at = models.DateTimeField(null=True, blank=True)
    replayed_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["-created_at", "-pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["org", "key_digest", "contact_point", "receiver", "flush_number"],
                name="notifications_delivery_idempotent",
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(status="pending"),
                name="notifications_delivery_due",
            ),
            models.Index(fields=["org", "-created_at"], name="notifications_delivery_recent"),
            models.Index(
                fields=["org", "contact_point", "-created_at"], name="notifications_delivery_told"
            ),
        ]


class DeliveryEndpoint(OrgOwned):
    """Where deliveries of one notifier go, and whether it may be called now.

    ``failures`` counts failed attempts in a row; from ``opened_at`` on nobody calls it until
    ``retry_at``, then one probe does, until ``probe_until``. ``free_at`` is the token bucket, as
    the time at which it is full again. ``held_until`` is what the service asked for.
    """

    notifier = models.CharField(max_length=63)
    address = models.CharField(max_length=300)
    failures = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    probe_until = models.DateTimeField(null=True, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)
    free_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["org", "notifier", "address"], name="notifications_endpoint_unique"
            )
        ]


class Silence(ResourceModel):
    """Keeps notifications back about alerts that match, from ``starts_at`` to ``ends_at``.

    ``matcher_sets`` are OR-ed, the matchers of a set AND-ed, written as Alertmanager prints them.
    In a folder it mutes only alerts of that folder's rule groups. With an ``rrule`` it mutes for
    ``duration_ms`` from each occurrence (counted from ``starts_at`` in ``location``) and is over at
    ``ends_at``. ``next_change_at`` is when what it mutes may next change: the dispatcher's timer.
    """

    matcher_sets = JSONField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    comment = models.TextField(blank=True, default="")
    created_by = models.CharField(max_length=200, blank=True, default="")
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )
    annotations = JSONField(default=dict, blank=True)
    rrule = models.CharField(max_length=500, blank=True, default="")
    duration_ms = models.PositiveBigIntegerField(default=0)
    location = models.CharField(max_length=63, blank=True, default="UTC")
    remind_before_ms = models.PositiveBigIntegerField(default=0)
    remind_at = models.DateTimeField(null=True, blank=True)  # None: nobody is to be reminded
    next_change_at = models.DateTimeField(null=True, blank=True)

    class Meta(ResourceModel.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["org", "ends_at"], name="notifications_silence_current"),
            models.Index(fields=["next_change_at"], name="notifications_silence_change"),
            models.Index(fields=["remind_at"], name="notifications_silence_remind"),
        ]


class InhibitionRule(ResourceModel):
    """Mutes alerts that match the target while one that matches the source is firing."""

    folder = None  # about alerts of all folders
    source_matchers = JSONField()
    target_matchers = JSONField()
    equal = JSONField(default=list, blank=True)
    is_enabled = models.BooleanField(default=True)


class TimeInterval(ResourceModel):
    """Named times, which routes refer to; ``intervals`` are OR-ed, the fields of one AND-ed."""

    folder = None  # routes of all folders refer to it
    intervals = JSONField()


class SuppressionEntry(OrgOwned):
    """One reason, or several at once, for which one contact point was not told about one alert.

    Open (``ended_at`` is None) while it lasts, then kept as history. ``causes`` is the whole chain,
    ``kind`` its first link. An empty ``receiver`` means all receivers of the contact point.
    """

    fingerprint = models.CharField(max_length=32)
    labels = JSONField()
    contact_point = models.CharField(max_length=63, blank=True)
    receiver = models.CharField(max_length=63, blank=True, default="")
    group_key = models.CharField(max_length=2000)
    key_digest = models.CharField(max_length=64)
    kind = models.CharField(max_length=20, choices=SuppressionKind.choices)
    causes = JSONField(default=list)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)  # the foreseen end, where there is one
    ended_at = models.DateTimeField(null=True, blank=True)
    ending = models.CharField(
        max_length=10, choices=SuppressionEnding.choices, blank=True, default=""
    )

    class Meta(OrgOwned.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["org", "key_digest", "fingerprint", "contact_point", "receiver"],
                condition=models.Q(ended_at__isnull=True),
                name="notifications_suppression_open",
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["org", "fingerprint", "-since"], name="notifications_suppression_of"
            ),
            models.Index(fields=["org", "-since"], name="notifications_suppression_new"),
            models.Index(fields=["ended_at"], name="notifications_suppression_age"),
        ]


class Watchdog(ResourceModel):
    """Proves again and again that an alert with these labels reaches those it is routed to.

    Every ``every_ms`` a synthetic alert is told; the proof has to be there ``within_ms`` later.
    ``deadline_at`` is None between rounds. ``checked_at`` is when somebody last looked: what was
    not looked at for long is not held against the path.
    """

    folder = None  # about the org's tree
    route_labels = JSONField(default=dict)
    every_ms = models.PositiveBigIntegerField()
    within_ms = models.PositiveBigIntegerField()
    proof = models.CharField(max_length=12, choices=WatchdogProof.choices)
    fallback = models.CharField(max_length=63, blank=True, default="")
    dead_mans_switch_url = models.CharField(max_length=1000, blank=True, default="")
    is_enabled = models.BooleanField(default=True)
    round = models.PositiveBigIntegerField(default=0)
    fired_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    next_round_at = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    proved_at = models.DateTimeField(null=True, blank=True)
    echoed_round = models.PositiveBigIntegerField(default=0)
    readings = JSONField(default=dict, blank=True)  # of the present round, by delivery
    is_failing = models.BooleanField(default=False)
    failing_since = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True, default="")
    switch_at = models.DateTimeField(null=True, blank=True)  # the dead man's switch was reached
    switch_error = models.TextField(blank=True, default="")
