"""Vocabularies of operations."""

from django.db import models


class RunState(models.TextChoices):
    """Where a pipeline's run stands."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ACTIVE_STATES = (RunState.QUEUED, RunState.RUNNING)
RESUMABLE_STATES = (RunState.FAILED, RunState.CANCELLED)


class RunTrigger(models.TextChoices):
    """What started a run."""

    MANUAL = "manual", "By hand"
    SCHEDULE = "schedule", "By schedule"
