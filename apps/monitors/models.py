"""Monitors and what is known about them.

The hot rows are apart from the configuration: ``MonitorSchedule`` changes with every claim and
``MonitorState`` with every result, both in bulk and by raw SQL; ``Monitor`` only when someone
edits it. Machine times of the schedule are Unix milliseconds, so that one claim statement means
the same on SQLite and PostgreSQL.
"""

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from apps.monitors.enums import MonitorStateName, WindowStrategy
from detectviz.crypto.fields import EncryptedJSONField
from detectviz.json_field import JSONField
from detectviz.resources.models import ResourceModel, name_validator, new_uid
from detectviz.tenancy.models import OrgOwned

DEFAULT_LOCATION = "default"


class Monitor(ResourceModel):
    """What to watch, how often, with which collector plugin.

    ``config_version`` grows with every change that matters to a check or to its series (unlike
    ``resource_version`` it stays when only notes change): caches of collectors are keyed by it.
    """

    type = models.CharField(max_length=63)
    description = models.TextField(max_length=2000, blank=True, default="")
    runbook_url = models.CharField(max_length=2000, blank=True, default="")
    notes = models.TextField(max_length=20_000, blank=True, default="")
    location = models.CharField(
        max_length=63, default=DEFAULT_LOCATION, validators=[name_validator]
    )
    interval_s = models.FloatField(default=60.0)
    timeout_s = models.FloatField(default=10.0)
    retries = models.PositiveSmallIntegerField(default=0)
    retry_interval_s = models.FloatField(default=60.0)
    is_enabled = models.BooleanField(default=True)
    is_inverted = models.BooleanField(default=False)
    is_in_maintenance = models.BooleanField(default=False)
    degraded_above_s = models.FloatField(null=True, blank=True)
    down_above_s = models.FloatField(null=True, blank=True)
    depends_on = JSONField(default=list, blank=True)  # names of monitors
    config = JSONField(default=dict, blank=True)
    secrets = EncryptedJSONField(default=dict, blank=True)
    config_version = models.PositiveBigIntegerField(default=1, editable=False)

    class Meta(ResourceModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *ResourceModel.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(interval_s__gte=1) & models.Q(interval_s__lte=86_400),
                name="monitors_monitor_interval_in_bounds",
            ),
        ]


class MonitorSchedule(OrgOwned):
    """When a monitor is next due, and who is checking it now. One row per monitor, always hot.

    A slot is a planned start. ``next_due_ms`` is the slot to be claimed next; slots lie on the
    grid ``phase_ms + k * interval_ms`` except retries and checks asked for at once. ``epoch``
    fences: a result whose epoch is not the row's any more is dropped. ``claimed_slot_ms`` and
    ``done_slot_ms`` are the newest slot handed out and the newest with a stored result.
    """

    monitor = models.OneToOneField(
        Monitor, on_delete=models.CASCADE, primary_key=True, related_name="schedule"
    )
    location = models.CharField(max_length=63, default=DEFAULT_LOCATION)
    is_active = models.BooleanField(default=True)
    interval_ms = models.BigIntegerField()
    timeout_ms = models.BigIntegerField()
    phase_ms = models.BigIntegerField()
    next_due_ms = models.BigIntegerField()
    lease_owner = models.CharField(max_length=200, blank=True, default="")
    lease_until_ms = models.BigIntegerField(default=0)
    epoch = models.BigIntegerField(default=1)
    config_version = models.BigIntegerField(default=1)
    claimed_slot_ms = models.BigIntegerField(default=0)
    claimed_at_ms = models.BigIntegerField(default=0)
    done_slot_ms = models.BigIntegerField(default=0)
    slots_skipped = models.BigIntegerField(default=0)

    class Meta(OrgOwned.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["location", "next_due_ms"],
                condition=models.Q(is_active=True),
                name="monitors_schedule_due",
            ),
            models.Index(
                fields=["lease_until_ms"],
                condition=~models.Q(lease_owner=""),
                name="monitors_schedule_leased",
            ),
        ]

    def __str__(self) -> str:
        """Name the monitor by its key."""
        return f"schedule of monitor {self.monitor_id}"


class MonitorState(OrgOwned):
    """What the last results say. Written only by the flush of results.

    ``recent`` is a ring of the last results for the heartbeat bar (see ``selectors.recent``).
    ``hour_ms`` and the five ``…_s`` fields count the running hour of uptime; finished hours are
    rows of ``MonitorUptime``. ``counted_at`` is until when a maintenance without
    collection has been counted already.
    """

    monitor = models.OneToOneField(
        Monitor, on_delete=models.CASCADE, primary_key=True, related_name="state"
    )
    state = models.CharField(
        max_length=16, choices=MonitorStateName, default=MonitorStateName.UNKNOWN
    )
    since = models.DateTimeField()
    last_check_at = models.DateTimeField(null=True, blank=True)
    last_duration_s = models.FloatField(null=True, blank=True)
    message = models.TextField(blank=True, default="")
    consecutive_failures = models.IntegerField(default=0)
    is_retrying = models.BooleanField(default=False)
    certificate_expires_at = models.DateTimeField(null=True, blank=True)
    recent = models.BinaryField(default=bytes)
    hour_ms = models.BigIntegerField(default=0)
    up_s = models.FloatField(default=0.0)
    degraded_s = models.FloatField(default=0.0)
    down_s = models.FloatField(default=0.0)
    unknown_s = models.FloatField(default=0.0)
    maintenance_s = models.FloatField(default=0.0)
    counted_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrgOwned.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["org", "state"], name="monitors_state_of_org"),
        ]

    def __str__(self) -> str:
        """Return the state."""
        return self.state


class StateChange(OrgOwned):
    """One transition of a monitor, with the evidence of the result that caused it."""

    # A checked reference would lock the monitor's row while results are stored, and deadlock with
    # an edit that holds it and waits for the schedule; the schedule row fences deletion instead.
    monitor = models.ForeignKey(
        Monitor,
        on_delete=models.CASCADE,
        related_name="changes",
        db_index=False,
        db_constraint=False,
    )
    previous = models.CharField(max_length=16, choices=MonitorStateName)
    state = models.CharField(max_length=16, choices=MonitorStateName)
    at = models.DateTimeField()
    message = models.TextField(blank=True, default="")
    evidence = JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    is_in_maintenance = models.BooleanField(default=False)

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["-at", "-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["monitor", "-at"], name="monitors_change_of_monitor"),
            models.Index(fields=["org", "-at"], name="monitors_change_of_org"),
            models.Index(fields=["at"], name="monitors_change_age"),
        ]

    def __str__(self) -> str:
        """Return the transition."""
        return f"{self.previous} → {self.state}"


class MonitorUptime(OrgOwned):
    """Seconds a monitor spent in each state during one past hour (Unix milliseconds, UTC)."""

    monitor = models.ForeignKey(  # unchecked for the same reason as in StateChange
        Monitor,
        on_delete=models.CASCADE,
        related_name="uptimes",
        db_index=False,
        db_constraint=False,
    )
    hour_ms = models.BigIntegerField()
    up_s = models.FloatField(default=0.0)
    degraded_s = models.FloatField(default=0.0)
    down_s = models.FloatField(default=0.0)
    unknown_s = models.FloatField(default=0.0)
    maintenance_s = models.FloatField(default=0.0)

    class Meta(OrgOwned.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["monitor", "hour_ms"], name="monitors_uptime_one_row_per_hour"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["hour_ms"], name="monitors_uptime_age"),
        ]

    def __str__(self) -> str:
        """Name the monitor and the hour."""
        return f"monitor {self.monitor_id} at {self.hour_ms}"


class Heartbeat(OrgOwned):
    """What a push monitor has heard.

    The token is looked up by its SHA-256 and kept encrypted beside it, because whoever may edit
    the monitor may read the address to push to. ``runs`` maps a run id to its start (Unix
    milliseconds); ``pings`` holds the newest pings first. Both are capped.
    """

    monitor = models.OneToOneField(
        Monitor, on_delete=models.CASCADE, primary_key=True, related_name="heartbeat"
    )
    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    token_hash = models.CharField(max_length=64, unique=True)
    token = EncryptedJSONField(default=dict)
    since = models.DateTimeField()
    last_success_at = models.DateTimeField(null=True, blank=True)
    last_start_at = models.DateTimeField(null=True, blank=True)
    last_fail_at = models.DateTimeField(null=True, blank=True)
    last_exit_code = models.IntegerField(null=True, blank=True)
    last_duration_s = models.FloatField(null=True, blank=True)
    last_message = models.TextField(blank=True, default="")
    runs = JSONField(default=dict, blank=True)
    pings = JSONField(default=list, blank=True)

    def __str__(self) -> str:
        """Name the monitor by its key."""
        return f"heartbeat of monitor {self.monitor_id}"


class ScrapeStatus(OrgOwned):
    """The targets of a monitor that scrapes, as its last check found them.

    ``active`` and ``dropped`` are lists of objects (``selectors.targets`` reads them), capped; the
    totals count all. One row per monitor, written with every check.
    """

    monitor = models.OneToOneField(  # unchecked for the same reason as in StateChange
        Monitor,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="scrape",
        db_constraint=False,
    )
    active = JSONField(default=list, blank=True)
    dropped = JSONField(default=list, blank=True)
    active_total = models.PositiveIntegerField(default=0)
    dropped_total = models.PositiveIntegerField(default=0)
    scraped_at = models.DateTimeField()

    def __str__(self) -> str:
        """Name the monitor by its key."""
        return f"targets of monitor {self.monitor_id}"


class MaintenanceWindow(ResourceModel):
    """Times at which monitors, or alerts that match, are worked on and nobody is told of them.

    Its times are read by ``services.windows``. It covers the monitors that are named, match the
    label selector or lie in one of the folders; in a folder of its own only those of that folder.
    ``next_change_at`` is the timer of whoever puts monitors in and takes them out.
    """

    strategy = models.CharField(max_length=10, choices=WindowStrategy)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    cron = models.CharField(max_length=200, blank=True, default="")
    weekdays = JSONField(default=list, blank=True)
    days = JSONField(default=list, blank=True)
    nth_weekdays = JSONField(default=list, blank=True)
    start_time = models.CharField(max_length=5, blank=True, default="00:00")
    duration_ms = models.PositiveBigIntegerField(default=0)
    location = models.CharField(max_length=63, blank=True, default="UTC")
    covers_all = models.BooleanField(default=False)
    monitors = JSONField(default=list, blank=True)
    selector = models.CharField(max_length=1000, blank=True, default="")
    folders = JSONField(default=list, blank=True)
    matchers = JSONField(default=list, blank=True)
    is_collecting = models.BooleanField(default=True)
    is_enabled = models.BooleanField(default=True)
    note = models.TextField(max_length=2000, blank=True, default="")
    begun_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    next_change_at = models.DateTimeField(null=True, blank=True)

    class Meta(ResourceModel.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["next_change_at"], name="monitors_window_change"),
        ]


class MonitorMaintenance(OrgOwned):
    """A monitor that is in a maintenance window now; the row is gone when it is not."""

    monitor = models.ForeignKey(
        Monitor, on_delete=models.CASCADE, related_name="maintenances", db_index=False
    )
    window = models.ForeignKey(MaintenanceWindow, on_delete=models.CASCADE, related_name="members")
    since = models.DateTimeField()
    until = models.DateTimeField()
    is_collecting = models.BooleanField()

    class Meta(OrgOwned.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["monitor", "window"], name="monitors_maintenance_unique"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["org"], name="monitors_maintenance_of_org"),
        ]

    def __str__(self) -> str:
        """Name the monitor and the window by their keys."""
        return f"monitor {self.monitor_id} in window {self.window_id}"
