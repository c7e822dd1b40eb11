"""Storing what the collection engine found, a batch at a time.

Samples go to the series store first, then one transaction writes states, history, uptime, the
schedule and events. A kill between the two loses no acknowledged sample: the lease runs out, the
check is run again and its samples stand at another time. The transaction drops what has been
fenced off meanwhile, so storing one batch twice changes nothing.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from apps.monitors.models import MonitorSchedule, MonitorState, MonitorUptime, StateChange
from apps.monitors.selectors.recent import recent_push
from apps.monitors.services.bulk import rows_update
from apps.monitors.services.evidence import evidence_clean, text_clean
from apps.monitors.services.reports import CheckPlan, CheckReport
from apps.monitors.services.samples import (
    certificate_expiry_s,
    result_samples,
    sample_time_ms,
)
from apps.monitors.services.schedule import slots_finish
from apps.monitors.services.scrape_book import ScrapeBook
from apps.monitors.services.scrape_descriptions import scrapes_describe
from apps.monitors.services.scrapes import scrapes_store
from apps.monitors.services.states import (
    Standing,
    Step,
    Transition,
    next_step,
)
from apps.monitors.services.uptime import Hour, bucket_of, hours_credit, longest_gap_s
from detectviz.clock import to_ms
from detectviz.contracts.collector import CheckResult
from detectviz.contracts.types import CheckState
from detectviz.events.bus import publish
from detectviz.events.types import MonitorStateChanged
from detectviz.tsdb.interface import RateLimitedError, Sample, SeriesStore, StoreError

logger = logging.getLogger(__name__)

LONGEST_MESSAGE = 1000
_ACROSS = "collectors serve all orgs"
_COME_AGAIN = (StoreError, OperationalError, InterfaceError)

_STATE_COLUMNS = {
    "state": "text",
    "since": "timestamptz",
    "last_check_at": "timestamptz",
    "last_duration_s": "double precision",
    "message": "text",
    "consecutive_failures": "integer",
    "is_retrying": "boolean",
    "certificate_expires_at": "timestamptz",
    "recent": "bytea",
    "hour_ms": "bigint",
    "up_s": "double precision",
    "degraded_s": "double precision",
    "down_s": "double precision",
    "unknown_s": "double precision",
    "maintenance_s": "double precision",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResults:
    """What became of one batch."""

    stored: int
    fenced: int
    samples: int
    transitions: tuple[MonitorStateChanged, ...]
    plans: tuple[CheckPlan, ...] = ()  # of the monitors with a stored result


@dataclass(slots=True, kw_only=True)
class _Progress:
    """One monitor while its reports of this batch are applied in order."""

    plan: CheckPlan
    epoch: int
    slot_ms: int
    standing: Standing
    hour: Hour
    last_check_at: datetime | None
    counted_at: datetime | None
    last_duration_s: float | None
    message: str
    certificate_expires_at: datetime | None
    recent: bytes
    retry_ms: int | None = None
    reports: int = 0
    hours: list[Hour] = field(default_factory=list)
    changes: list[StateChange] = field(default_factory=list)


def results_store(
    *, reports: Sequence[CheckReport], store: SeriesStore, book: ScrapeBook | None = None
) -> StoredResults:
    """Store one batch of results; when this returns they survive kill -9.

    ``book`` is what this process knows of targets; without one the store is asked.
    Raise StoreError or django.db.Error when nothing of the batch may be taken as stored; calling
    again with the same batch is right then.
    """
    book = ScrapeBook() if book is None else book
    progress = _progress_load(reports)
    current = _reports_current(reports, progress)
    before = dict(book.monitors)
    scraped = scrapes_store(reports=current, store=store, book=book)
    progress, samples = _reports_apply(scraped.reports, progress)
    for tenant, batch in samples.items():
        _append(store, tenant, batch)
    with transaction.atomic():
        kept = slots_finish(
            finished=[
                (key, each.epoch, each.slot_ms, each.retry_ms) for key, each in progress.items()
            ]
        )
        accepted = [each for key, each in progress.items() if key in kept]
        events = _progress_write(accepted)
        scrapes_describe(
            reports=[each for each in scraped.reports if each.plan.monitor_id in kept],
            before=before,
        )
        publish(*events)
    stored = sum(each.reports for each in accepted)
    return StoredResults(
        stored=stored,
        fenced=len(reports) - stored,
        samples=scraped.samples + sum(len(batch) for batch in samples.values()),
        transitions=events,
        plans=tuple(each.plan for each in accepted),
    )


def _append(store: SeriesStore, tenant: str, batch: Sequence[Sample]) -> None:
    """Store an org's samples; those above its rate are lost, so that no other org waits for it."""
    try:
        store.append(tenant, batch)
    except RateLimitedError as error:
        logger.warning("%d samples of org %s are not stored: %s", len(batch), tenant, error)


def results_store_safely(
    *, reports: Sequence[CheckReport], store: SeriesStore, book: ScrapeBook | None = None
) -> StoredResults:
    """Store a batch; if one result breaks it, store the others and log that one.

    Raise StoreError, OperationalError or InterfaceError when the whole batch should come again.
    """
    try:
        return results_store(reports=reports, store=store, book=book)
    except _COME_AGAIN:
        raise
    except Exception:
        logger.exception("a batch of %d results could not be stored; now one by one", len(reports))
    pieces = [_store_alone(report, store, book) for report in reports]
    return StoredResults(
        stored=sum(piece.stored for piece in pieces),
        fenced=sum(piece.fenced for piece in pieces),
        samples=sum(piece.samples for piece in pieces),
        transitions=tuple(event for piece in pieces for event in piece.transitions),
        plans=tuple(plan for piece in pieces for plan in piece.plans),
    )


def _store_alone(report: CheckReport, store: SeriesStore, book: ScrapeBook | None) -> StoredResults:
    try:
        return results_store(reports=[report], store=store, book=book)
    except _COME_AGAIN:
        raise
    except Exception:
        logger.exception("a result of monitor %d is dropped", report.plan.monitor_id)
        return StoredResults(stored=0, fenced=1, samples=0, transitions=())


def _reports_current(
    reports: Sequence[CheckReport], progress: Mapping[int, _Progress]
) -> list[CheckReport]:
    """Return the reports that nothing has fenced off, by slot, each slot once."""
    done = {key: each.slot_ms for key, each in progress.items()}
    current = []
    for report in sorted(reports, key=lambda each: each.slot_ms):
        key = report.plan.monitor_id
        if key in done and progress[key].epoch == report.epoch and report.slot_ms > done[key]:
            done[key] = report.slot_ms
            current.append(report)
    return current


def _reports_apply(
    reports: Sequence[CheckReport], progress: Mapping[int, _Progress]
) -> tuple[dict[int, _Progress], dict[str, list[Sample]]]:
    samples: dict[str, list[Sample]] = defaultdict(list)
    for report in reports:
        each = progress[report.plan.monitor_id]
        each.slot_ms = report.slot_ms
        each.reports += 1
        if not report.is_offline:
            samples[report.plan.tenant].extend(_report_apply(each, report))
    return {key: each for key, each in progress.items() if each.reports}, samples


def _progress_load(reports: Sequence[CheckReport]) -> dict[int, _Progress]:
    plans = {report.plan.monitor_id: report.plan for report in reports}
    slots = MonitorSchedule.objects.across_orgs(reason=_ACROSS).filter(monitor_id__in=plans)
    fences = {
        key: (epoch, done_ms)
        for key, epoch, done_ms in slots.values_list("monitor_id", "epoch", "done_slot_ms")
    }
    rows = MonitorState.objects.across_orgs(reason=_ACROSS).filter(monitor_id__in=fences)
    return {
        row[0]: _progress_of(row, plans[row[0]], fences[row[0]])
        for row in rows.values_list("monitor_id", *_STATE_COLUMNS, "counted_at")
    }


def _progress_of(row: tuple[Any, ...], plan: CheckPlan, fence: tuple[int, int]) -> _Progress:
    """Read one row, whose columns are the key, ``_STATE_COLUMNS`` and until when it is counted."""
    return _Progress(
        plan=plan,
        epoch=fence[0],
        slot_ms=fence[1],
        standing=Standing(
            state=CheckState(row[1]),
            since=row[2],
            consecutive_failures=row[6],
            is_retrying=row[7],
        ),
        hour=Hour(
            hour_ms=row[10],
            up_s=row[11],
            degraded_s=row[12],
            down_s=row[13],
            unknown_s=row[14],
            maintenance_s=row[15],
        ),
        last_check_at=row[3],
        counted_at=row[16],
        last_duration_s=row[4],
        message=row[5],
        certificate_expires_at=row[8],
        recent=bytes(row[9]),
    )


def _state_values(each: _Progress) -> tuple[Any, ...]:
    """Return the row to write: ``_STATE_COLUMNS``, then the key."""
    standing, hour = each.standing, each.hour
    return (
        standing.state.value,
        standing.since,
        each.last_check_at,
        each.last_duration_s,
        each.message,
        standing.consecutive_failures,
        standing.is_retrying,
        each.certificate_expires_at,
        each.recent,
        hour.hour_ms,
        hour.up_s,
        hour.degraded_s,
        hour.down_s,
        hour.unknown_s,
        hour.maintenance_s,
        each.plan.monitor_id,
    )


def _report_apply(each: _Progress, report: CheckReport) -> Iterable[Sample]:
    each.plan = report.plan
    result, at = report.result, report.finished_at
    step = next_step(each.standing, result, report.plan.policy, at=at)
    _uptime_count(each, at)
    each.standing = step.standing
    each.retry_ms = _retry_ms(step, report, at)
    _remember(each, step, result, at)
    if step.transition is not None:
        each.changes.append(_change_of(report, step, step.transition))
    return result_samples(
        base=report.plan.base_labels,
        result=result,
        step=step,
        timestamp_ms=sample_time_ms(slot_ms=report.slot_ms, started_at_ms=report.started_at_ms),
    )


def _uptime_count(each: _Progress, at: datetime) -> None:
    plan, end_ms = each.plan, to_ms(at)
    gap_ms = round(longest_gap_s(plan.interval_s, plan.timeout_s) * 1000)
    before = each.last_check_at
    start_ms = end_ms if before is None else max(to_ms(before), end_ms - gap_ms)
    if each.counted_at is not None:
        start_ms = max(start_ms, min(to_ms(each.counted_at), end_ms))
    bucket = bucket_of(each.standing.state, is_in_maintenance=plan.policy.is_in_maintenance)
    each.hour, finished = hours_credit(each.hour, bucket, start_ms=start_ms, end_ms=end_ms)
    each.hours.extend(finished)


def _retry_ms(step: Step, report: CheckReport, at: datetime) -> int | None:
    retry_interval_s = report.plan.policy.retry_interval_s
    if not step.standing.is_retrying or retry_interval_s >= report.plan.interval_s:
        return None
    return to_ms(at) + round(retry_interval_s * 1000)


def _remember(each: _Progress, step: Step, result: CheckResult, at: datetime) -> None:
    each.last_check_at = at
    each.last_duration_s = result.duration_s
    each.message = text_clean(step.message)[:LONGEST_MESSAGE]
    each.certificate_expires_at = _certificate_expiry(result) or each.certificate_expires_at
    each.recent = recent_push(each.recent, at=at, state=step.observed, duration_s=result.duration_s)


def _certificate_expiry(result: CheckResult) -> datetime | None:
    seconds = certificate_expiry_s(result)
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _change_of(report: CheckReport, step: Step, transition: Transition) -> StateChange:
    return StateChange(
        org_id=report.plan.org_id,
        monitor_id=report.plan.monitor_id,
        previous=transition.previous.value,
        state=transition.state.value,
        at=transition.at,
        message=text_clean(step.message)[:LONGEST_MESSAGE],
        evidence=evidence_clean(report.result.evidence),
        is_in_maintenance=transition.is_in_maintenance,
    )


def _progress_write(accepted: Sequence[_Progress]) -> tuple[MonitorStateChanged, ...]:
    rows_update(
        model=MonitorState,
        columns=_STATE_COLUMNS,
        rows=[_state_values(each) for each in accepted],
    )
    changes = [change for each in accepted for change in each.changes]
    StateChange.objects.across_orgs(reason=_ACROSS).bulk_create(changes)
    _hours_write(accepted)
    return tuple(_event_of(each.plan, change) for each in accepted for change in each.changes)


def _hours_write(accepted: Sequence[_Progress]) -> None:
    rows = [
        MonitorUptime(org_id=each.plan.org_id, monitor_id=each.plan.monitor_id, **asdict(hour))
        for each in accepted
        for hour in each.hours
    ]
    if rows:
        MonitorUptime.objects.across_orgs(reason=_ACROSS).bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["monitor", "hour_ms"],
            update_fields=["up_s", "degraded_s", "down_s", "unknown_s", "maintenance_s"],
        )


def _event_of(plan: CheckPlan, change: StateChange) -> MonitorStateChanged:
    return MonitorStateChanged(
        org_id=plan.org_id,
        monitor_id=plan.monitor_id,
        name=plan.name,
        previous=change.previous,
        state=change.state,
        message=change.message,
        at=change.at,
    )
