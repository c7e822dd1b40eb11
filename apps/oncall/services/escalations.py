"""Runs policies: one step after another until somebody answers, from rows alone.

A run begins with the flush of a group whose route names a policy. Its timer is a column; a step
writes whom to tell in the transaction that sets the next timer, and each notice becomes one
delivery in the transaction that marks it. A process that dies in between has written neither.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from apps.notifications.enums import SuppressionKind
from apps.notifications.selectors import receivers_of
from apps.notifications.services.direct import DirectNotice, direct_delivery_create
from apps.notifications.services.receivers import receiver_find
from apps.notifications.services.standing import Standing, alerts_standing
from apps.oncall.enums import NoticeState, RunState
from apps.oncall.models import EscalationNotice, EscalationPolicy, EscalationRun, OnCallSchedule
from apps.oncall.services.methods import SIGN, person_plan
from apps.oncall.services.participants import TEAM, members_of
from apps.oncall.services.policies import target_of
from apps.oncall.services.preferences import urgency_of
from apps.oncall.services.schedules import schedule_participant
from apps.oncall.services.telemetry import (
    notices_ended,
    run_started,
    run_turned,
    step_taken,
)
from detectviz.contracts.durations import parse_duration_s
from detectviz.events.types import AlertGroupFlushed, AlertHandled
from detectviz.runtime.wakeups import wake_on_commit

TICK = "oncall.escalate"
BATCH = 200
LOOK_AGAIN = timedelta(minutes=1)
SHORTEST_ROUND = timedelta(minutes=1)
_ACROSS = "one ticker serves every org"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reach:
    """One receiver to tell, and when."""

    target: str
    person: str
    contact_point: str
    receiver: str
    due_at: datetime


def group_escalate(*, event: AlertGroupFlushed) -> None:
    """Begin, widen or end the run of a group that was flushed; in the flush's transaction."""
    run = (
        EscalationRun.objects.for_org(event.org_id)
        .select_for_update()
        .filter(key_digest=event.key_digest, ended_at__isnull=True)
        .first()
    )
    if run is not None and not event.firing:
        _end(run, RunState.RESOLVED, event.at)
        return
    new = [one for one in event.waiting if run is None or one not in run.fingerprints]
    if not new:
        return
    if run is not None and run.state == RunState.RUNNING:
        run.fingerprints = [*run.fingerprints, *new]
        run.save(update_fields=["fingerprints"])
        return
    if run is not None:  # somebody answered for the old ones, nobody for the new
        _end(run, RunState.REPLACED, event.at)
    _begin(event)


def runs_wake(*, event: AlertHandled) -> None:
    """Look at the runs of an alert at once, as somebody has done something about it."""
    rows = EscalationRun.objects.for_org(event.org_id).filter(ended_at__isnull=True)
    for run in rows:
        if event.fingerprint in run.fingerprints:
            rows.filter(pk=run.pk).update(next_at=event.at)
            wake_on_commit(TICK)


def escalations_tick(*, now: datetime) -> int:
    """Go on with every run that is due and tell everybody whose time has come; count both."""
    runs = EscalationRun.objects.across_orgs(reason=_ACROSS)
    due = runs.filter(next_at__lte=now, ended_at__isnull=True).order_by("next_at")
    done = sum(run_advance(run_id=one, now=now) for one in due.values_list("pk", flat=True)[:BATCH])
    notices = EscalationNotice.objects.across_orgs(reason=_ACROSS)
    waiting = notices.filter(state=NoticeState.PLANNED, due_at__lte=now).order_by("due_at", "id")
    keys = list(waiting.values_list("pk", flat=True)[:BATCH])
    return done + sum(notice_send(notice_id=one, now=now) for one in keys)


@transaction.atomic
def run_advance(*, run_id: int, now: datetime) -> bool:
    """Take one run a step further; False when somebody else did."""
    run = (
        EscalationRun.objects.across_orgs(reason="the caller holds a due run's id")
        .select_for_update(skip_locked=True, of=("self",))
        .select_related("org")
        .filter(pk=run_id, next_at__lte=now, ended_at__isnull=True)
        .first()
    )
    if run is None:
        return False
    standing = alerts_standing(org_id=run.org_id, fingerprints=run.fingerprints, now=now)
    if not standing.firing:
        _end(run, RunState.RESOLVED, now)
    elif not standing.waiting:
        _hold(run, standing, now)
    else:
        _step(run, standing, now)
    return True


@transaction.atomic
def notice_send(*, notice_id: int, now: datetime) -> bool:
    """Turn one due notice into a delivery, or call it off; False when somebody else did."""
    notice = (
        EscalationNotice.objects.across_orgs(reason="the caller holds a due notice's id")
        .select_for_update(skip_locked=True, of=("self",))
        .select_related("run", "org")
        .filter(pk=notice_id, state=NoticeState.PLANNED, due_at__lte=now)
        .first()
    )
    if notice is None:
        return False
    run = notice.run
    standing = alerts_standing(org_id=run.org_id, fingerprints=run.fingerprints, now=now)
    is_wanted = run.state in {RunState.RUNNING, RunState.EXHAUSTED} and standing.waiting
    found = receiver_find(
        org_id=run.org_id, contact_point=notice.contact_point, name=notice.receiver
    )
    if not is_wanted or found is None:
        notice.state = NoticeState.CANCELLED if found else NoticeState.UNREACHABLE
        notice.save(update_fields=["state"])
        notices_ended(outcome=notice.state)
        return True
    key = f"{run.uid}/{notice.round}/{notice.step}/{notice.contact_point}/{notice.receiver}"
    delivery = direct_delivery_create(
        org=notice.org,
        notice=DirectNotice(
            key=f"escalation/{key}",
            contact_point=notice.contact_point,
            receiver=notice.receiver,
            notifier=found.notifier,
            group_key=run.group_key,
            group_labels=run.group_labels,
            reason="escalation",
        ),
        alerts=standing.waiting,
        now=now,
    )
    notice.state, notice.sent_at, notice.delivery = NoticeState.SENT, now, delivery.uid
    notice.save(update_fields=["state", "sent_at", "delivery"])
    notices_ended(outcome=NoticeState.SENT)
    return True


def _begin(event: AlertGroupFlushed) -> None:
    policy = EscalationPolicy.objects.for_org(event.org_id).filter(name=event.escalation).first()
    if policy is None or not policy.steps:
        return
    EscalationRun.objects.for_org(event.org_id).create(
        org_id=event.org_id,
        policy=policy.name,
        steps=policy.steps,
        repeat=policy.repeat,
        key_digest=event.key_digest,
        group_key=event.group_key,
        group_labels=dict(event.group_labels),
        fingerprints=list(event.waiting),
        started_at=event.at,
        next_at=event.at,
    )
    run_started()
    wake_on_commit(TICK)


def _end(run: EscalationRun, state: RunState, now: datetime) -> None:
    run_turned(before=run.state, after=state)
    run.state, run.ended_at, run.next_at = state, now, None
    run.save(update_fields=["state", "ended_at", "next_at"])
    _call_off(run)


def _call_off(run: EscalationRun) -> None:
    planned = EscalationNotice.objects.for_org(run.org_id).filter(run=run)
    ended = planned.filter(state=NoticeState.PLANNED).update(state=NoticeState.CANCELLED)
    notices_ended(outcome=NoticeState.CANCELLED, count=ended)


def _hold(run: EscalationRun, standing: Standing, now: datetime) -> None:
    """Wait while nothing is to be told: until somebody gives it back, or the reason ends."""
    chains = standing.causes.values()
    kinds = {cause.kind for chain in chains for cause in chain}
    is_answered = SuppressionKind.ACKNOWLEDGED in kinds
    state = RunState.ACKNOWLEDGED if is_answered else RunState.PAUSED
    run_turned(before=run.state, after=state)
    run.state = state
    ends = [cause.until for chain in chains for cause in chain if cause.until is not None]
    run.next_at = min([now + LOOK_AGAIN, *(end for end in ends if end > now)])
    run.save(update_fields=["state", "next_at"])
    _call_off(run)


def _step(run: EscalationRun, standing: Standing, now: datetime) -> None:
    """Plan whom this step tells and set the timer of the next."""
    if run.round > run.repeat:
        run_turned(before=run.state, after=RunState.EXHAUSTED)
        run.state, run.next_at = RunState.EXHAUSTED, now + LOOK_AGAIN
        run.save(update_fields=["state", "next_at"])
        return
    step = run.steps[run.step]
    rows = [
        EscalationNotice(
            org_id=run.org_id,
            run=run,
            round=run.round,
            step=run.step,
            target=reach.target,
            person=reach.person,
            contact_point=reach.contact_point,
            receiver=reach.receiver,
            due_at=reach.due_at,
        )
        for reach in _reaches(run, step["targets"], standing, now)
    ]
    EscalationNotice.objects.for_org(run.org_id).bulk_create(rows, ignore_conflicts=True)
    wait = timedelta(seconds=parse_duration_s(step["wait"]))
    step_taken()
    run.state = RunState.RUNNING
    run.step += 1
    if run.step >= len(run.steps):
        run.step, run.round = 0, run.round + 1
        wait = max(wait, SHORTEST_ROUND)
    run.next_at = now + wait
    run.save(update_fields=["state", "step", "round", "next_at"])


def _reaches(
    run: EscalationRun, targets: Sequence[Mapping[str, str]], standing: Standing, now: datetime
) -> Iterator[_Reach]:
    severity = urgency_of(alert.labels for alert in standing.waiting)
    for target in targets:
        kind, name = target_of(target)
        if kind == "contact_point":
            for receiver, _ in receivers_of(org_id=run.org_id, contact_point=name):
                yield _Reach(
                    target=f"contact point {name}",
                    person="",
                    contact_point=name,
                    receiver=receiver,
                    due_at=now,
                )
            continue
        for person in members_of(org=run.org, participant=_participant(run, kind, name, now)):
            plan = person_plan(org=run.org, person=person, severity=severity, now=now)
            for planned, _ in plan:
                yield _Reach(
                    target=f"{kind} {name}",
                    person=person.name,
                    contact_point=f"{SIGN}{person.name}"[:63],
                    receiver=planned.method,
                    due_at=planned.due_at,
                )


def _participant(run: EscalationRun, kind: str, name: str, now: datetime) -> str:
    if kind != "schedule":
        return name if kind == "user" else f"{TEAM}{name}"
    schedule = OnCallSchedule.objects.for_org(run.org_id).filter(name=name).first()
    return schedule_participant(schedule=schedule, at=now) if schedule else ""
