"""The life of a run: started, held by one worker at a time, cancelled, resumed, forgotten."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import F, Q

from apps.operations.enums import ACTIVE_STATES, RESUMABLE_STATES, RunState, RunTrigger
from apps.operations.errors import NotResumableError, RunIsActiveError
from apps.operations.models import Pipeline, PipelineRun
from apps.operations.services.outputs import outputs_forget
from apps.operations.services.telemetry import runs_total
from detectviz.contracts.schedules import ScheduleError, next_cron
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.runtime.wakeups import wake_on_commit

LEASE: Final = timedelta(seconds=30)
SENT_AGAIN_AFTER: Final = timedelta(seconds=60)
TICK: Final = "operations.pipelines"
_BATCH: Final = 100
_ACROSS: Final = "one scheduler serves every org"


@transaction.atomic
def run_start(
    *, pipeline: Pipeline, actor: models.Model | None, trigger: RunTrigger, now: datetime
) -> PipelineRun:
    """Queue a run; raise RunIsActiveError while another one waits or runs."""
    run = PipelineRun(
        org_id=pipeline.org_id,
        pipeline=pipeline,
        trigger=trigger,
        started_by=str(actor) if actor else "",
        source_digest=source_digest(pipeline),
        created_at=now,
    )
    try:
        with transaction.atomic():
            run.save(force_insert=True)
    except IntegrityError as error:
        raise RunIsActiveError(
            f"{pipeline.name} runs already; wait for it or cancel it first."
        ) from error
    _tell("pipeline.run", run, actor)
    wake_on_commit(TICK)
    return run


@transaction.atomic
def run_cancel(*, run: PipelineRun, actor: models.Model | None, now: datetime) -> PipelineRun:
    """Ask a run to end; one that nobody works on ends at once. One that is over stays as it is."""
    rows = PipelineRun.objects.for_org(run.org_id).filter(pk=run.pk)
    ended = rows.filter(state=RunState.QUEUED).update(
        state=RunState.CANCELLED, reason="The run was cancelled.", finished_at=now
    )
    if ended:
        runs_total.labels(RunState.CANCELLED.value).inc()
    if ended or rows.filter(state=RunState.RUNNING).update(is_cancel_wanted=True):
        _tell("pipeline.cancel", run, actor)
    run.refresh_from_db()
    return run


@transaction.atomic
def run_resume(*, run: PipelineRun, actor: models.Model | None) -> PipelineRun:
    """Queue a failed or cancelled run to go on at its cursor.

    Raise NotResumableError when it is in another state or its source was changed since, and
    RunIsActiveError while another run of the pipeline waits or runs.
    """
    if run.source_digest != source_digest(run.pipeline):
        raise NotResumableError(
            "The source was changed since, so where to go on is not known; start a new run."
        )
    rows = PipelineRun.objects.for_org(run.org_id).filter(pk=run.pk, state__in=RESUMABLE_STATES)
    try:
        with transaction.atomic():
            count = rows.update(
                state=RunState.QUEUED,
                reason="",
                is_cancel_wanted=False,
                finished_at=None,
                sent_at=None,
                lease_until=None,
            )
    except IntegrityError as error:
        raise RunIsActiveError("Another run of this pipeline is under way.") from error
    if not count:
        raise NotResumableError("Only a run that failed or was cancelled can go on.")
    _tell("pipeline.resume", run, actor)
    wake_on_commit(TICK)
    run.refresh_from_db()
    return run


def run_claim(*, run_id: int, now: datetime) -> PipelineRun | None:
    """Take a run that waits, or whose worker has gone; None when there is nothing to take."""
    rows = PipelineRun.objects.across_orgs(reason=_ACROSS).filter(_is_free(now), pk=run_id)
    taken = rows.update(
        state=RunState.RUNNING,
        epoch=F("epoch") + 1,
        lease_until=now + LEASE,
        started_at=models.functions.Coalesce("started_at", models.Value(now)),
    )
    if not taken:
        return None
    found = PipelineRun.objects.across_orgs(reason=_ACROSS).select_related(
        "pipeline__org", "pipeline__owner", "org"
    )
    run: PipelineRun = found.get(pk=run_id)
    return run


def run_store(*, run: PipelineRun, values: Mapping[str, Any], now: datetime) -> bool | None:
    """Write progress and renew the lease.

    Return whether somebody wants the run cancelled, or None when it is no longer ours.
    """
    rows = PipelineRun.objects.for_org(run.org_id).filter(
        pk=run.pk, epoch=run.epoch, state=RunState.RUNNING
    )
    if not rows.update(**values, lease_until=now + LEASE):
        return None
    return bool(rows.values_list("is_cancel_wanted", flat=True).first())


@transaction.atomic
def run_finish(*, run: PipelineRun, state: RunState, reason: str, now: datetime) -> bool:
    """Write how a run ended, unless it is no longer ours."""
    rows = PipelineRun.objects.for_org(run.org_id).filter(
        pk=run.pk, epoch=run.epoch, state=RunState.RUNNING
    )
    ended = rows.update(
        state=state, reason=reason[:2000], finished_at=now, lease_until=None, sent_at=None
    )
    if not ended:
        return False
    runs_total.labels(state.value).inc()
    _tell("pipeline.end", run, None, state=state.value, is_success=state != RunState.FAILED)
    return True


def runs_due(*, now: datetime) -> list[int]:
    """Start what the schedules want and return the runs that a worker should take."""
    _start_scheduled(now)
    rows = PipelineRun.objects.across_orgs(reason=_ACROSS).filter(
        _is_free(now), Q(sent_at=None) | Q(sent_at__lt=now - SENT_AGAIN_AFTER)
    )
    due = list(rows.order_by("created_at").values_list("pk", flat=True)[:_BATCH])
    PipelineRun.objects.across_orgs(reason=_ACROSS).filter(pk__in=due).update(sent_at=now)
    return due


def runs_trim() -> int:
    """Forget the oldest runs of each pipeline beyond those kept, with their files."""
    kept, gone = settings.PIPELINE_RUNS_KEPT, 0
    for pipeline in Pipeline.objects.across_orgs(reason="retention of every org").select_related(
        "org"
    ):
        rows = PipelineRun.objects.for_org(pipeline.org_id).filter(pipeline=pipeline)
        over = rows.exclude(state__in=ACTIVE_STATES).order_by("-created_at", "-id")[kept:]
        uids = list(over.values_list("uid", flat=True))
        rows.filter(uid__in=uids).delete()
        outputs_forget(tenant=pipeline.org.uid, runs=uids)
        gone += len(uids)
    return gone


def source_digest(pipeline: Pipeline) -> str:
    """Return what tells two sources apart, secrets aside."""
    text = json.dumps(pipeline.source, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_free(now: datetime) -> Q:
    return Q(state=RunState.QUEUED) | Q(state=RunState.RUNNING, lease_until__lt=now)


def _start_scheduled(now: datetime) -> None:
    rows = Pipeline.objects.across_orgs(reason=_ACROSS)
    for pipeline in rows.filter(next_run_at__lte=now, enabled=True).select_related("org")[:_BATCH]:
        try:
            following = next_cron(pipeline.schedule, now)
        except ScheduleError:
            following = None
        mine = rows.filter(pk=pipeline.pk, next_run_at=pipeline.next_run_at)
        if not mine.update(next_run_at=following):
            continue
        try:
            run_start(pipeline=pipeline, actor=None, trigger=RunTrigger.SCHEDULE, now=now)
        except RunIsActiveError:
            runs_total.labels("skipped").inc()


def _tell(
    action: str,
    run: PipelineRun,
    actor: models.Model | None,
    *,
    state: str = "",
    is_success: bool = True,
) -> None:
    details = {"run": run.uid} | ({"state": state} if state else {})
    publish(
        SecurityEventOccurred(
            action=action,
            org_id=run.org_id,
            actor_id=actor.pk if actor else None,
            kind="Pipeline",
            name=run.pipeline.name,
            uid=run.pipeline.uid,
            details=details,
            is_success=is_success,
        )
    )
