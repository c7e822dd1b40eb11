"""Backtest: what an alerting rule would have done over the past, slot by slot.

The state machine is the one that evaluates rules; only its inputs come from range queries.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from apps.alerting.enums import AlertState, NoDataPolicy
from apps.alerting.services.batching import data_source_texts, watches_sources
from apps.alerting.services.condition_specs import NO_PAST
from apps.alerting.services.evaluation import Surroundings, outcome_of
from apps.alerting.services.followed_series import Questions
from apps.alerting.services.plans import GroupPlan, RulePlan, rule_terms
from apps.alerting.services.previews import Threshold, threshold_of
from apps.alerting.services.queries import Answered, rule_querier
from apps.alerting.services.replays import Replay
from apps.alerting.services.rule_specs import rule_plan, rule_problems
from apps.alerting.services.state_machine import alerts_step
from apps.alerting.services.state_values import FIRING_STATES, Instance, Transition
from apps.series.selectors import Tenant
from apps.series.services import series_store
from detectviz.clock import from_ms, to_ms
from detectviz.contracts.types import JsonObject
from detectviz.gotemplate.values import format_float
from detectviz.promql.batches import parsed
from detectviz.resources.errors import InvalidFieldsError

MOST_SLOTS = 50_000
MOST_ELEMENTS = 300_000  # element-slots: 10 series that hold for a week at 30 s are 200,000
MOST_FIRINGS = 500
TIMEOUT_S = 25.0


@dataclass(slots=True, kw_only=True)
class Firing:
    """One time an alert would have fired; ``resolved_at`` is None if it still would.

    ``peak`` is the value farthest beyond the threshold, or the largest where there is none.
    """

    labels: Mapping[str, str]
    active_at: datetime
    fired_at: datetime
    resolved_at: datetime | None
    peak: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What would have happened between two slots (inclusive).

    ``firings`` are the first 500 in order, ``total`` counts all. Seconds are summed over alerts.
    ``transitions`` are those the evaluation would have written. ``errors`` counts slots at which
    the expression failed, ``error`` is the first.
    """

    start: datetime
    end: datetime
    interval_s: float
    slots: int
    firings: tuple[Firing, ...]
    total: int
    series: int
    pending_s: float
    firing_s: float
    abandoned: int
    errors: int
    error: str
    threshold: Threshold | None
    transitions: tuple[Transition, ...]


def rule_backtest(
    *,
    tenant: Tenant,
    rule: Mapping[str, Any],
    start: datetime,
    end: datetime,
    interval_ms: int,
    shared_labels: Mapping[str, str] | None = None,
    query_offset_ms: int = 0,
    limit: int = 0,
    slot_offset_ms: int = 0,
) -> Backtest:
    """Run a rule as written over the past, changing nothing, from a state without alerts.

    Slots are multiples of the interval plus ``slot_offset_ms`` (a group's own). Raise
    InvalidFieldsError naming the field: what is no rule, too long a range, too many elements.
    """
    rule = {"alert": "Backtest", **rule}
    if rule.get("queries"):
        raise InvalidFieldsError({"queries": [NO_PAST]})
    problems = rule_problems(rule)
    if problems or "record" in rule:
        raise InvalidFieldsError(problems or {"record": ["Only alerting rules can be tested."]})
    plan = replace(rule_plan(rule, key="backtest", shared_labels=shared_labels), annotations={})
    first_ms = -(-(to_ms(start) - slot_offset_ms) // interval_ms) * interval_ms + slot_offset_ms
    slots = max(0, (to_ms(end) - first_ms) // interval_ms + 1)
    if not slots:
        raise InvalidFieldsError({"range": ["There is no slot in this range; make it longer."]})
    if slots > MOST_SLOTS:
        raise InvalidFieldsError(
            {"range": [f"At most {MOST_SLOTS:,} evaluations, these are {slots:,}."]}
        )
    group = GroupPlan(
        name="backtest",
        interval_ms=interval_ms,
        rules=(plan,),
        limit=limit,
        query_offset_ms=query_offset_ms,
    )
    around = Surroundings(querier=rule_querier(series_store(), tenant.uid))
    run = _Run(group=group, rule=plan, around=around, first_ms=first_ms, slots=slots)
    run.play()
    return run.result()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beside:
    """What is known at one slot beside the rule's own answer."""

    sources: Sequence[Answered]
    recovered: Answered
    has_data: bool

    @property
    def questions(self) -> Questions:
        return Questions(recovery=lambda: self.recovered, sources=lambda: self.sources)


@dataclass(slots=True, kw_only=True)
class _Run:
    group: GroupPlan
    rule: RulePlan
    around: Surroundings
    first_ms: int
    slots: int
    transitions: list[Transition] = field(default_factory=list)
    firings: list[Firing] = field(default_factory=list)
    elements: int = 0
    pending_ms: int = 0
    abandoned: int = 0
    errors: int = 0
    error: str = ""
    instances: tuple[Instance, ...] = ()
    open: dict[str, Firing] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    @property
    def last_ms(self) -> int:
        return self.first_ms + (self.slots - 1) * self.group.interval_ms

    @property
    def threshold(self) -> Threshold | None:
        return threshold_of(parsed(self.rule.expr))

    def play(self) -> None:
        """Go from slot to slot."""
        terms, previous_ms = rule_terms(self.group, self.rule), None
        sign = -1.0 if self.threshold and self.threshold.operator in {"<", "<="} else 1.0
        for at_ms, answered, found in self._answers():
            has_data = found.has_data
            if answered or self.instances or not has_data:
                self._count(answered)
                looked_at_ms = at_ms - self.group.query_offset_ms
                outcome = outcome_of(
                    self.rule,
                    answered,
                    self.around,
                    looked_at_ms,
                    has_data=has_data,
                    previous=self.instances,
                    questions=found.questions if self.rule.follows_series else None,
                )
                step = alerts_step(
                    terms, self.instances, outcome, at_ms=at_ms, previous_at_ms=previous_ms
                )
                if step.error:
                    self.errors += 1
                    self.error = self.error or step.error
                for change in step.transitions:
                    self._note(change)
                # What has resolved has no influence on what follows, unless it may flap.
                self.instances = tuple(
                    one for one in step.instances if one.is_active or self.rule.flapping
                )
                self._note_peaks(sign)
            previous_ms = at_ms

    def _answers(self) -> Iterator[tuple[int, Answered, _Beside]]:
        """Yield every slot with the rule's answer and what else is known then."""
        offset_ms = self.group.query_offset_ms
        replay = Replay(querier=self.around.querier, timeout_s=TIMEOUT_S)
        window = {
            "start_ms": self.first_ms - offset_ms,
            "end_ms": self.last_ms - offset_ms,
            "step_ms": self.group.interval_ms,
        }
        answers = replay.answers(self.rule.expr, **window)
        is_watched = watches_sources(self.rule)
        texts = data_source_texts(parsed(self.rule.expr)) if is_watched else []
        sources = [replay.answers(text, **window) for text in texts]
        recovery = self.rule.recovery_expr
        recoveries = replay.answers(recovery, **window) if recovery else None
        for at_ms, answered in answers:
            found = _Beside(
                sources=[next(source)[1] for source in sources],
                recovered=next(recoveries)[1] if recoveries else (),
                has_data=True,
            )
            if self.rule.no_data is NoDataPolicy.OK or answered:
                yield at_ms + offset_ms, answered, found
                continue
            errors = [one for one in found.sources if isinstance(one, Exception)]
            has_data = any(one for one in found.sources if not isinstance(one, Exception))
            is_failure = not has_data and errors
            found = replace(found, has_data=has_data)
            yield at_ms + offset_ms, errors[0] if is_failure else answered, found

    def _count(self, answered: Answered) -> None:
        if isinstance(answered, Exception):
            return
        self.elements += len(answered)
        if self.elements > MOST_ELEMENTS:
            message = (
                f"It holds for too many series too long (more than {MOST_ELEMENTS:,} elements). "
                "Choose a shorter range or a longer interval."
            )
            raise InvalidFieldsError({"expr": [message]})

    def _note(self, change: Transition) -> None:
        self.transitions.append(change)
        one = change.instance
        self.seen.add(one.fingerprint)
        if change.state is AlertState.FIRING and one.fingerprint not in self.open:
            self.pending_ms += change.at_ms - one.active_at_ms
            self.open[one.fingerprint] = Firing(
                labels=one.labels,
                active_at=from_ms(one.active_at_ms),
                fired_at=from_ms(change.at_ms),
                resolved_at=None,
                peak=one.value,
            )
            self.firings.append(self.open[one.fingerprint])
        elif change.state not in FIRING_STATES and one.fingerprint in self.open:
            self.open.pop(one.fingerprint).resolved_at = from_ms(change.at_ms)
        elif change.previous is AlertState.PENDING and change.state is AlertState.INACTIVE:
            self.abandoned += 1
            self.pending_ms += change.at_ms - one.active_at_ms

    def _note_peaks(self, sign: float) -> None:
        for one in self.instances:
            firing = self.open.get(one.fingerprint)
            if firing is not None and one.value * sign > firing.peak * sign:
                firing.peak = one.value

    def result(self) -> Backtest:
        """Return what was noted."""
        end = from_ms(self.last_ms)
        pending = [one for one in self.instances if one.state is AlertState.PENDING]
        pending_ms = self.pending_ms + sum(self.last_ms - one.active_at_ms for one in pending)
        spans = ((one.resolved_at or end) - one.fired_at for one in self.firings)
        return Backtest(
            start=from_ms(self.first_ms),
            end=end,
            interval_s=self.group.interval_ms / 1000,
            slots=self.slots,
            firings=tuple(self.firings[:MOST_FIRINGS]),
            total=len(self.firings),
            series=len(self.seen),
            pending_s=pending_ms / 1000,
            firing_s=sum(span.total_seconds() for span in spans),
            abandoned=self.abandoned,
            errors=self.errors,
            error=self.error,
            threshold=self.threshold,
            transitions=tuple(self.transitions),
        )


def firings_by_labels(firings: Sequence[Firing]) -> list[tuple[Mapping[str, str], list[Firing]]]:
    """Return firings by their label sets, the most frequent first."""
    groups: dict[frozenset[tuple[str, str]], list[Firing]] = defaultdict(list)
    for firing in firings:
        groups[frozenset(firing.labels.items())].append(firing)
    ordered = sorted(groups.values(), key=len, reverse=True)
    return [(found[0].labels, found) for found in ordered]


def backtest_json(found: Backtest) -> JsonObject:
    """Return a backtest for an answer; values are text, as NaN is no JSON."""
    return {
        "start": found.start.isoformat(),
        "end": found.end.isoformat(),
        "interval_s": found.interval_s,
        "evaluations": found.slots,
        "total": found.total,
        "series": found.series,
        "pending_s": found.pending_s,
        "firing_s": found.firing_s,
        "abandoned": found.abandoned,
        "errors": found.errors,
        "error": found.error,
        "firings": [
            {
                "labels": firing.labels,
                "active_at": firing.active_at.isoformat(),
                "fired_at": firing.fired_at.isoformat(),
                "resolved_at": firing.resolved_at.isoformat() if firing.resolved_at else None,
                "peak": format_float(firing.peak),
            }
            for firing in found.firings
        ],
    }
