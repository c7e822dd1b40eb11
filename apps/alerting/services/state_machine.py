"""The alert state machine: a pure function from what was and what is seen to what follows.

Semantics of Prometheus 3.x ``rules/alerting.go``; what is added (no-data and error policies, the
name ``recovering``, resolving at once what Prometheus leaves to expire) is said where it happens.
All times are Unix milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from apps.alerting.enums import AlertCondition, AlertState, ErrorPolicy, TransitionReason
from apps.alerting.services.fingerprints import fingerprint
from apps.alerting.services.state_flaps import flapped, is_remembered
from apps.alerting.services.state_policies import Seen, seen_of
from apps.alerting.services.state_series import active_series, marked_stale
from apps.alerting.services.state_values import (
    FIRING_STATES,
    REASON_KEY,
    Answer,
    Element,
    Failure,
    Instance,
    Notification,
    Outcome,
    RuleTerms,
    Step,
    Transition,
)
from detectviz.contracts.types import AlertStatus
from detectviz.tsdb.interface import Sample

RESOLVED_RETENTION_MS = 15 * 60_000
RESEND_DELAY_MS = 60_000
VALIDITY_FACTOR = 4
GAP_INTERVALS = 2


def alerts_step(
    rule: RuleTerms,
    previous: Sequence[Instance],
    outcome: Outcome,
    *,
    at_ms: int,
    previous_at_ms: int | None,
) -> Step:
    """Return what follows from evaluating ``rule`` at ``at_ms``.

    ``previous`` are the rule's instances after its last evaluation at ``previous_at_ms`` (None
    before the first). Evaluations missed for more than two intervals pause the ``for`` clock.
    """
    error = outcome.message if isinstance(outcome, Failure) else None
    if isinstance(outcome, Failure) and rule.on_error is ErrorPolicy.KEEP_LAST:
        return _untouched(previous, error)
    duplicate = _duplicate(outcome)
    if duplicate:
        return _untouched(previous, duplicate)
    seen = seen_of(rule, previous, outcome)
    paused = _clock_paused(rule, previous, at_ms=at_ms, previous_at_ms=previous_at_ms)
    following = _following(rule, paused, seen, at_ms=at_ms)
    message = _excess(rule, sum(instance.is_active for instance in following))
    if message:
        reason = TransitionReason.LIMIT_EXCEEDED
        cleared = alerts_cleared(rule, previous, at_ms=at_ms, reason=reason)
        return replace(cleared, error=message)
    transitions = _transitions(previous, following, seen, at_ms=at_ms)
    messages = _notifications(rule, previous, following, at_ms=at_ms)
    sent = {message.fingerprint for message in messages}
    return Step(
        instances=tuple(
            replace(instance, last_sent_at_ms=at_ms)
            if instance.fingerprint in sent and instance.state is not AlertState.PENDING
            else instance
            for instance in following
        ),
        transitions=transitions,
        samples=_samples(rule, previous, following, at_ms=at_ms),
        notifications=messages,
        error=error,
    )


def _excess(rule: RuleTerms, active: int) -> str | None:
    """Return what is told when a rule has too many alerts, else None."""
    if 0 < rule.limit < active:
        return f"exceeded limit of {rule.limit} with {active} alerts"
    if rule.room is not None and active > max(0, rule.room):
        return (
            f"exceeded limit of the organisation with {active} alerts: its other rules leave room "
            f"for {max(0, rule.room)}"
        )
    return None


def alerts_cleared(
    rule: RuleTerms, previous: Sequence[Instance], *, at_ms: int, reason: TransitionReason
) -> Step:
    """Return the step that drops every alert of a rule: limit exceeded, rule removed, switched off.

    Prometheus sends nothing here and lets Alertmanager expire what fired; we tell at once that
    those alerts ended, and why, in the annotation ``detectviz_reason``.
    """
    active = [instance for instance in previous if instance.is_active]
    ended = [
        replace(instance, state=AlertState.RESOLVED, resolved_at_ms=at_ms) for instance in active
    ]
    return Step(
        instances=(),
        transitions=tuple(
            Transition(
                instance=after,
                previous=before.state,
                state=AlertState.RESOLVED if before.is_firing else AlertState.INACTIVE,
                at_ms=at_ms,
                reason=reason,
            )
            for before, after in zip(active, ended, strict=True)
        ),
        samples=_samples(rule, previous, (), at_ms=at_ms),
        notifications=tuple(
            _ended(before, at_ms=at_ms, reason=reason) for before in active if before.is_firing
        ),
    )


def _untouched(previous: Sequence[Instance], error: str | None) -> Step:
    return Step(
        instances=tuple(
            replace(instance, condition=AlertCondition.ERROR, reason=TransitionReason.ERROR)
            if instance.is_active
            else instance
            for instance in previous
        ),
        error=error,
    )


def _duplicate(outcome: Outcome) -> str | None:
    if not isinstance(outcome, Answer):
        return None
    prints = {fingerprint(element.labels) for element in outcome.elements}
    if len(prints) == len(outcome.elements):
        return None
    return "vector contains metrics with the same labelset after applying alert labels"


def _clock_paused(
    rule: RuleTerms, previous: Sequence[Instance], *, at_ms: int, previous_at_ms: int | None
) -> Sequence[Instance]:
    """Return the instances with the ``for`` clock of pending ones moved past a gap.

    As Prometheus restores ``for`` after downtime: the time down does not count.
    """
    if previous_at_ms is None or at_ms - previous_at_ms <= GAP_INTERVALS * rule.interval_ms:
        return previous
    gap_ms = at_ms - previous_at_ms
    return [
        replace(instance, active_at_ms=instance.active_at_ms + gap_ms)
        if instance.state is AlertState.PENDING
        else instance
        for instance in previous
    ]


def _following(
    rule: RuleTerms, previous: Sequence[Instance], seen: Seen, *, at_ms: int
) -> list[Instance]:
    known = {instance.fingerprint: instance for instance in previous}
    following: list[Instance] = []
    for key, instance in known.items():
        if key in seen.present:
            continue
        if key in seen.held:
            condition, reason = seen.condition_of(key), seen.reason_of(key)
            following.append(replace(instance, condition=condition, reason=reason))
            continue
        kept = _absent(rule, instance, seen, at_ms=at_ms)
        if kept is not None:
            following.append(kept)
    for key, element in seen.present.items():
        following.append(_present(rule, known.get(key), key, element, seen, at_ms=at_ms))
    return [
        flapped(
            rule.flapping,
            known.get(instance.fingerprint),
            instance,
            interval_ms=rule.interval_ms,
            at_ms=at_ms,
        )
        for instance in following
    ]


def _present(
    rule: RuleTerms,
    before: Instance | None,
    key: str,
    element: Element,
    seen: Seen,
    *,
    at_ms: int,
) -> Instance:
    if before is None or not before.is_active:
        before = Instance(
            fingerprint=key,
            labels=element.labels,
            annotations=element.annotations,
            state=AlertState.PENDING,
            active_at_ms=at_ms,
            value=element.value,
            is_flapping=before is not None and before.is_flapping,
            flips=before.flips if before else (),
        )
    instance = replace(
        before,
        annotations=element.annotations,
        value=element.value,
        source=element.source,
        keep_firing_since_ms=None,
        condition=seen.condition_of(key),
        reason=seen.reason_of(key),
        missed=0,
    )
    is_due = at_ms - instance.active_at_ms >= rule.for_ms
    if not is_due:
        return replace(instance, state=AlertState.PENDING, fired_at_ms=None, last_sent_at_ms=None)
    if instance.state is AlertState.PENDING:
        return replace(instance, state=AlertState.FIRING, fired_at_ms=at_ms)
    return replace(instance, state=AlertState.FIRING)


def _absent(rule: RuleTerms, instance: Instance, seen: Seen, *, at_ms: int) -> Instance | None:
    key = instance.fingerprint
    if not instance.is_active:
        return _over(rule, instance, at_ms=at_ms)
    instance = replace(instance, condition=None, reason=seen.absence_of(key))
    if key in seen.gone:
        if instance.missed + 1 < rule.missing_evaluations:
            return replace(instance, missed=instance.missed + 1)
        return _ceased(rule, instance, at_ms=at_ms)
    instance = replace(instance, missed=0)
    if instance.state is AlertState.PENDING:
        return _ceased(rule, instance, at_ms=at_ms)
    if key in seen.unrecovered:
        return replace(instance, state=AlertState.RECOVERING, keep_firing_since_ms=None)
    since_ms = instance.keep_firing_since_ms
    since_ms = at_ms if since_ms is None else since_ms
    if at_ms - since_ms < rule.keep_firing_for_ms:
        return replace(instance, state=AlertState.RECOVERING, keep_firing_since_ms=since_ms)
    return _ceased(rule, instance, at_ms=at_ms)


def _ceased(rule: RuleTerms, instance: Instance, *, at_ms: int) -> Instance | None:
    """Return an alert that is over now: resolved if it fired, else forgotten."""
    if instance.is_firing:
        return replace(instance, state=AlertState.RESOLVED, resolved_at_ms=at_ms, missed=0)
    return _watched(rule, instance, at_ms=at_ms)


def _over(rule: RuleTerms, instance: Instance, *, at_ms: int) -> Instance | None:
    """Return an alert that was over already, as long as it is kept."""
    resolved_at_ms = instance.resolved_at_ms
    if resolved_at_ms is not None and at_ms - resolved_at_ms <= RESOLVED_RETENTION_MS:
        return instance
    return _watched(rule, instance, at_ms=at_ms)


def _watched(rule: RuleTerms, instance: Instance, *, at_ms: int) -> Instance | None:
    """Return what is remembered of an alert that is over: nothing, unless it may flap."""
    if not is_remembered(rule.flapping, instance, interval_ms=rule.interval_ms, at_ms=at_ms):
        return None
    return replace(
        instance,
        state=AlertState.INACTIVE,
        fired_at_ms=None,
        resolved_at_ms=None,
        keep_firing_since_ms=None,
        last_sent_at_ms=None,
        reason=None,
        missed=0,
    )


def _transitions(
    previous: Sequence[Instance], following: Sequence[Instance], seen: Seen, *, at_ms: int
) -> tuple[Transition, ...]:
    before = {instance.fingerprint: instance for instance in previous}
    after = {instance.fingerprint: instance for instance in following}
    changes: list[Transition] = []
    for key in [*before, *(key for key in after if key not in before)]:
        was, is_now = before.get(key), after.get(key)
        old = _shown_state(was)
        new = is_now.state if is_now else AlertState.INACTIVE
        shown = is_now or was
        if old is new or shown is None or (old, new) == _FORGOTTEN:
            continue
        if old is AlertState.RESOLVED:
            old = AlertState.INACTIVE
        changes.append(
            Transition(
                instance=shown,
                previous=old,
                state=new,
                at_ms=at_ms,
                reason=_reason(old, new, key, seen),
            )
        )
    return tuple(changes)


_FORGOTTEN = (AlertState.RESOLVED, AlertState.INACTIVE)


def _shown_state(instance: Instance | None) -> AlertState:
    return instance.state if instance else AlertState.INACTIVE


def _reason(old: AlertState, new: AlertState, key: str, seen: Seen) -> TransitionReason | None:
    if old in FIRING_STATES and new is AlertState.PENDING:
        return TransitionReason.FOR_RAISED
    if key in seen.present or key in seen.held:
        return seen.reason_of(key)
    return seen.absence_of(key)


def _notifications(
    rule: RuleTerms, previous: Sequence[Instance], following: Sequence[Instance], *, at_ms: int
) -> tuple[Notification, ...]:
    before = {instance.fingerprint: instance for instance in previous}
    messages: list[Notification] = []
    for instance in following:
        was = before.get(instance.fingerprint)
        if instance.state is AlertState.PENDING:
            if was and was.is_firing:
                reason = TransitionReason.FOR_RAISED
                messages.append(_ended(was, at_ms=at_ms, reason=reason))
        elif instance.state is not AlertState.INACTIVE and _needs_sending(instance, at_ms=at_ms):
            messages.append(_message(rule, was, instance, at_ms=at_ms))
    return tuple(messages)


def _needs_sending(instance: Instance, *, at_ms: int) -> bool:
    """Whether an alert is due, as ``Alert.needsSending`` of Prometheus decides it."""
    sent_ms, resolved_ms = instance.last_sent_at_ms, instance.resolved_at_ms
    if sent_ms is None or (resolved_ms is not None and resolved_ms > sent_ms):
        return True
    return sent_ms + RESEND_DELAY_MS < at_ms


def _message(
    rule: RuleTerms, was: Instance | None, instance: Instance, *, at_ms: int
) -> Notification:
    validity_ms = VALIDITY_FACTOR * max(rule.interval_ms, RESEND_DELAY_MS)
    is_resolved = instance.state is AlertState.RESOLVED
    ends_at_ms = instance.resolved_at_ms if is_resolved else at_ms + validity_ms
    was_firing = was is not None and was.is_firing
    was_resolved = was is not None and was.state is AlertState.RESOLVED
    return Notification(
        fingerprint=instance.fingerprint,
        status=AlertStatus.RESOLVED if is_resolved else AlertStatus.FIRING,
        labels=instance.labels,
        annotations=_told(instance) if is_resolved else instance.annotations,
        starts_at_ms=at_ms if instance.fired_at_ms is None else instance.fired_at_ms,
        ends_at_ms=ends_at_ms if ends_at_ms is not None else at_ms,
        value=instance.value,
        is_transition=not (was_resolved if is_resolved else was_firing),
    )


def _told(instance: Instance) -> Mapping[str, str]:
    """Return the annotations of a resolved alert, with the reason if there is one."""
    if instance.reason is None:
        return instance.annotations
    return {**instance.annotations, REASON_KEY: instance.reason.value}


def _ended(before: Instance, *, at_ms: int, reason: TransitionReason) -> Notification:
    return Notification(
        fingerprint=before.fingerprint,
        status=AlertStatus.RESOLVED,
        labels=before.labels,
        annotations={**before.annotations, REASON_KEY: reason.value},
        starts_at_ms=at_ms if before.fired_at_ms is None else before.fired_at_ms,
        ends_at_ms=at_ms,
        value=before.value,
        is_transition=True,
    )


def _samples(
    rule: RuleTerms, previous: Sequence[Instance], following: Sequence[Instance], *, at_ms: int
) -> tuple[Sample, ...]:
    written_ms = at_ms - rule.query_offset_ms
    now = [
        sample
        for instance in following
        if instance.is_active
        for sample in active_series(
            instance.labels,
            is_firing=instance.is_firing,
            active_at_ms=instance.active_at_ms,
            at_ms=written_ms,
        )
    ]
    before = [
        sample
        for instance in previous
        if instance.is_active
        for sample in active_series(
            instance.labels,
            is_firing=instance.is_firing,
            active_at_ms=instance.active_at_ms,
            at_ms=written_ms,
        )
    ]
    return (*now, *marked_stale(before, now, at_ms=written_ms))
