"""The alert state machine: a pure function from what was and what is seen to what follows.

Semantics of Prometheus 3.x ``rules/alerting.go``; what is added (no-data and error policies, the
name ``recovering``, resolving at once what Prometheus leaves to expire) is said where it happens.
All times are Unix milliseconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from apps.alerting.enums import (
    AlertCondition,
    AlertState,
    ErrorPolicy,
    NoDataPolicy,
    TransitionReason,
)
from apps.alerting.services.fingerprints import fingerprint
from apps.alerting.services.state_series import active_series, marked_stale
from apps.alerting.services.state_values import (
    FIRING_STATES,
    Answer,
    Element,
    Failure,
    Instance,
    NoData,
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
REASON_KEY = "detectviz_reason"
NO_DATA_ALERT = "DatasourceNoData"
ERROR_ALERT = "DatasourceError"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """An outcome after the policies: what counts as present, and what is left as it was."""

    present: Mapping[str, Element]
    held: frozenset[str] = frozenset()
    condition: AlertCondition | None = None
    lacking: frozenset[str] = frozenset()  # of these alone the value is missing

    def condition_of(self, key: str) -> AlertCondition | None:
        """Return why an alert's state is not the plain answer."""
        return AlertCondition.NO_DATA if key in self.lacking else self.condition


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
    seen = _seen(rule, previous, outcome)
    paused = _clock_paused(rule, previous, at_ms=at_ms, previous_at_ms=previous_at_ms)
    following = _following(rule, paused, seen, at_ms=at_ms)
    active = [instance for instance in following if instance.is_active]
    if 0 < rule.limit < len(active):
        message = f"exceeded limit of {rule.limit} with {len(active)} alerts"
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
            replace(instance, condition=AlertCondition.ERROR) if instance.is_active else instance
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


def _seen(rule: RuleTerms, previous: Sequence[Instance], outcome: Outcome) -> _Seen:
    if isinstance(outcome, Answer):
        return _answer_seen(rule, previous, outcome)
    if isinstance(outcome, NoData):
        policy, condition = rule.no_data.value, AlertCondition.NO_DATA
        special, reason = NO_DATA_ALERT, TransitionReason.NO_DATA
    else:
        policy, condition = rule.on_error.value, AlertCondition.ERROR
        special, reason = ERROR_ALERT, TransitionReason.ERROR
    if policy == NoDataPolicy.OK.value:
        return _Seen(present={})
    element = outcome.element
    ordinary = [item for item in previous if item.is_active and REASON_KEY not in item.labels]
    if policy in _SPECIAL_POLICIES:
        marks = {**outcome.marks, "rulename": rule.name}
        raised = _special(element, special, reason, marks)
        held = frozenset(item.fingerprint for item in ordinary)
        return _Seen(present=_by_fingerprint([raised]), held=held, condition=condition)
    elements = [_replayed(item) for item in ordinary]
    if policy == NoDataPolicy.ALERTING.value and not elements:
        annotations = {**element.annotations, REASON_KEY: reason.value}
        elements = [replace(element, annotations=annotations)]
    return _Seen(present=_by_fingerprint(elements), condition=condition)


def _answer_seen(rule: RuleTerms, previous: Sequence[Instance], outcome: Answer) -> _Seen:
    """Apply the policy for missing data to each dimension that has no value."""
    present = _by_fingerprint(outcome.elements)
    missing = _by_fingerprint(outcome.missing)
    if not missing or rule.no_data is NoDataPolicy.OK:
        return _Seen(present=present)
    active = {item.fingerprint for item in previous if item.is_active}
    reason = TransitionReason.NO_DATA
    if rule.no_data is NoDataPolicy.ALERTING:
        noted = {
            key: replace(one, annotations={**one.annotations, REASON_KEY: reason.value})
            for key, one in missing.items()
        }
        return _Seen(present={**noted, **present}, lacking=frozenset(noted.keys() - present.keys()))
    held = frozenset(active & missing.keys())
    raised: dict[str, Element] = {}
    if rule.no_data is NoDataPolicy.NO_DATA:
        marks = {"rulename": rule.name}
        raised = _by_fingerprint(
            [_special(one, NO_DATA_ALERT, reason, marks) for one in missing.values()]
        )
    return _Seen(present={**present, **raised}, held=held, lacking=held | raised.keys())


def _special(
    element: Element, name: str, reason: TransitionReason, marks: Mapping[str, str]
) -> Element:
    """Return the alert that tells of missing data or an error, with the rule's own labels."""
    labels = {**element.labels, **marks, "alertname": name, REASON_KEY: reason.value}
    return replace(element, labels=labels)


_SPECIAL_POLICIES = frozenset({NoDataPolicy.NO_DATA.value, ErrorPolicy.ERROR.value})


def _replayed(instance: Instance) -> Element:
    return Element(
        labels=instance.labels,
        annotations=instance.annotations,
        value=instance.value,
        source=instance.source,
    )


def _by_fingerprint(elements: Iterable[Element]) -> dict[str, Element]:
    return {fingerprint(element.labels): element for element in elements}


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
    rule: RuleTerms, previous: Sequence[Instance], seen: _Seen, *, at_ms: int
) -> list[Instance]:
    known = {instance.fingerprint: instance for instance in previous}
    following: list[Instance] = []
    for instance in previous:
        if instance.fingerprint in seen.present:
            continue
        if instance.fingerprint in seen.held:
            following.append(replace(instance, condition=seen.condition_of(instance.fingerprint)))
            continue
        kept = _absent(rule, instance, at_ms=at_ms)
        if kept is not None:
            following.append(kept)
    for key, element in seen.present.items():
        following.append(_present(rule, known.get(key), key, element, seen, at_ms=at_ms))
    return following


def _present(
    rule: RuleTerms,
    before: Instance | None,
    key: str,
    element: Element,
    seen: _Seen,
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
            source=element.source,
        )
    instance = replace(
        before,
        annotations=element.annotations,
        value=element.value,
        keep_firing_since_ms=None,
        condition=seen.condition_of(key),
    )
    is_due = at_ms - instance.active_at_ms >= rule.for_ms
    if not is_due:
        return replace(instance, state=AlertState.PENDING, fired_at_ms=None, last_sent_at_ms=None)
    if instance.state is AlertState.PENDING:
        return replace(instance, state=AlertState.FIRING, fired_at_ms=at_ms)
    return replace(instance, state=AlertState.FIRING)


def _absent(rule: RuleTerms, instance: Instance, *, at_ms: int) -> Instance | None:
    if instance.state is AlertState.PENDING:
        return None
    if instance.is_firing:
        since_ms = instance.keep_firing_since_ms
        since_ms = at_ms if since_ms is None else since_ms
        if at_ms - since_ms < rule.keep_firing_for_ms:
            return replace(
                instance,
                state=AlertState.RECOVERING,
                keep_firing_since_ms=since_ms,
                condition=None,
            )
        return replace(instance, state=AlertState.RESOLVED, resolved_at_ms=at_ms, condition=None)
    resolved_at_ms = instance.resolved_at_ms or 0
    return None if at_ms - resolved_at_ms > RESOLVED_RETENTION_MS else instance


def _transitions(
    previous: Sequence[Instance], following: Sequence[Instance], seen: _Seen, *, at_ms: int
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
                reason=_reason(old, new, seen.condition_of(key)),
            )
        )
    return tuple(changes)


_FORGOTTEN = (AlertState.RESOLVED, AlertState.INACTIVE)


def _shown_state(instance: Instance | None) -> AlertState:
    return instance.state if instance else AlertState.INACTIVE


def _reason(
    old: AlertState, new: AlertState, condition: AlertCondition | None
) -> TransitionReason | None:
    if old in FIRING_STATES and new is AlertState.PENDING:
        return TransitionReason.FOR_RAISED
    if condition is AlertCondition.NO_DATA:
        return TransitionReason.NO_DATA
    if condition is AlertCondition.ERROR:
        return TransitionReason.ERROR
    return None


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
        elif _needs_sending(instance, at_ms=at_ms):
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
        annotations=instance.annotations,
        starts_at_ms=at_ms if instance.fired_at_ms is None else instance.fired_at_ms,
        ends_at_ms=ends_at_ms if ends_at_ms is not None else at_ms,
        value=instance.value,
        is_transition=not (was_resolved if is_resolved else was_firing),
    )


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
