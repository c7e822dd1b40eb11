"""Edges to Celery."""

from celery import shared_task

from apps.operations.services.execution import run_execute
from apps.operations.services.runs import runs_due, runs_trim
from detectviz.clock import utc_now


@shared_task
def pipelines() -> None:
    """Start what is due and hand every waiting or orphaned run to a worker."""
    for run_id in runs_due(now=utc_now()):
        run.delay(run_id)


@shared_task
def run(run_id: int) -> None:
    """Work on one run to its end, unless somebody else does."""
    run_execute(run_id=run_id, clock=utc_now)


@shared_task
def trim() -> None:
    """Forget old runs with their files."""
    runs_trim()
