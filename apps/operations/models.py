"""Pipelines and their runs."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from apps.operations.enums import ACTIVE_STATES, RunState, RunTrigger
from detectviz.crypto.fields import EncryptedJSONField
from detectviz.json_field import JSONField
from detectviz.resources.models import ResourceModel, new_uid
from detectviz.tenancy.models import OrgOwned


class Pipeline(ResourceModel):
    """Reads with an importer, changes with processors, writes with exporters.

    ``source``, ``steps`` and ``destinations`` hold plugin and configuration; ``secrets`` are keyed
    by stage, ``source/password`` or ``destinations/{name}/token``. ``owner`` is who wrote it last:
    what a stage may do with the org's own data, it may do with that person's rights, narrowed to
    ``owner_scopes`` when a key did it. ``is_operators`` pipelines belong to the machine's operator.
    """

    source = JSONField(default=dict)
    steps = JSONField(default=list)
    destinations = JSONField(default=list)
    secrets = EncryptedJSONField(default=dict)
    schedule = models.CharField(max_length=200, blank=True, default="")
    options = JSONField(default=dict)
    enabled = models.BooleanField(default=True)
    next_run_at = models.DateTimeField(null=True, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    owner_scopes = JSONField(null=True, blank=True)
    is_operators = models.BooleanField(default=False)

    class Meta(ResourceModel.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["next_run_at"], name="operations_pipeline_due")
        ]


class PipelineRun(OrgOwned):
    """One run. Whoever holds ``lease_until`` works on it; ``epoch`` counts the holders.

    ``cursor`` is where to go on; ``settled`` counts what lies before it, so that a run that goes on
    counts nothing twice. ``source_digest`` tells whether the cursor still fits the source.
    """

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="runs")
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    trigger = models.CharField(max_length=10, choices=RunTrigger.choices)
    started_by = models.CharField(max_length=150, blank=True, default="")
    read = models.PositiveBigIntegerField(default=0)
    written = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(null=True, blank=True)
    settled = JSONField(default=dict)
    stages = JSONField(default=list)
    errors = JSONField(default=list)
    cursor = JSONField(default=dict)
    reason = models.CharField(max_length=2000, blank=True, default="")
    source_digest = models.CharField(max_length=64)
    is_cancel_wanted = models.BooleanField(default=False)
    epoch = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["pipeline"],
                condition=models.Q(state__in=ACTIVE_STATES),
                name="operations_one_active_run",
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["org", "pipeline", "-created_at"], name="operations_run_recent"),
            models.Index(fields=["state", "lease_until"], name="operations_run_due"),
        ]

    def __str__(self) -> str:
        """Return pipeline and uid."""
        return f"{self.pipeline_id}/{self.uid}"

    @property
    def is_active(self) -> bool:
        """Return whether it waits or runs."""
        return self.state in ACTIVE_STATES

    @property
    def percent(self) -> int | None:
        """Return how far it is, None when the source does not tell how much there is."""
        if not self.total:
            return 100 if self.state == RunState.DONE else None
        return min(100, self.read * 100 // self.total)

    def as_json(self, *, is_whole: bool = False) -> dict[str, Any]:
        """Return the run for an answer; ``is_whole`` with stages, errors and cursor."""
        shown: dict[str, Any] = {
            "id": self.uid,
            "state": self.state,
            "trigger": self.trigger,
            "started_by": self.started_by,
            "read": self.read,
            "written": self.written,
            "failed": self.failed,
            "total": self.total,
            "percent": self.percent,
            "reason": self.reason,
            "epoch": self.epoch,
        }
        for name in ("created_at", "started_at", "finished_at"):
            at = getattr(self, name)
            shown[name] = at.isoformat(timespec="seconds") if at else None
        if is_whole:
            shown |= {"stages": self.stages, "errors": self.errors, "cursor": self.cursor}
        return shown
