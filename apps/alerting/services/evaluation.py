"""Evaluates rules over a query engine: answers to labelled elements, states and series.

No database: what a rule was and what it becomes are values. Order and timestamps are those of
Prometheus' rule groups: rules one after the other, each seeing what those before it wrote.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeAlias

from apps.alerting.enums import NoDataPolicy, RuleKind
from apps.alerting.services.batching import RuleBatch, rule_batches
from apps.alerting.services.condition_answers import (
    ConditionAnswer,
    ConditionError,
    Dimension,
    fitting_labels,
)
from apps.alerting.services.followed_series import (
    Questions,
    followed,
    gone_of,
    plain_labels,
    recovered_of,
)
from apps.alerting.services.plans import BatchRun, GroupPlan, RulePlan, RuleRun, rule_terms
from apps.alerting.services.queries import Answered, RuleQuerier
from apps.alerting.services.recording import Recordings, recording_step
from apps.alerting.services.state_machine import alerts_step
from apps.alerting.services.state_values import (
    Answer,
    Element,
    Failure,
    Instance,
    NoData,
    Outcome,
    Step,
)
from apps.alerting.services.templates import TemplateScope
from detectviz.promql.errors import PromqlError
from detectviz.tsdb.interface import METRIC_NAME, Sample, StoreError

ALERT_NAME = "alertname"

logger = logging.getLogger(__name__)


Ask: TypeAlias = Callable[[RulePlan, int], ConditionAnswer]
"""Asks the datasources of a rule as of a time in Unix milliseconds; raises ConditionError."""


class Rooms(Protocol):
    """How many alerts an org may have, shared out among its rules."""

    def left_beside(self, rule: RulePlan) -> int:
        """Return how many alerts there may be of a rule, given those of the others."""

    def note(self, rule: RulePlan, step: Step) -> None:
        """Take in how many alerts a rule has after a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where rules are evaluated: the engine, what templates may know, and who asks datasources.

    ``rooms`` bounds the alerts of the org; without it only rules have limits.
    """

    querier: RuleQuerier
    external_url: str = ""
    external_labels: Mapping[str, str] = field(default_factory=dict)
    ask: Ask | None = None
    rooms: Rooms | None = None


def group_run(
    group: GroupPlan,
    around: Surroundings,
    *,
    at_ms: int,
    between: Callable[[], None] = lambda: None,
    batches: Sequence[RuleBatch] | None = None,
) -> Iterator[BatchRun]:
    """Evaluate the rules of a group in order at one time, and write their series.

    Rules that read nothing of each other are asked together (``batches``, if they are known);
    what they write is stored before the next rule is looked at. Writing the same again is
    harmless: the store takes a sample it has silently. ``between`` is called after every batch.
    """
    recordings = Recordings(group, at_ms)
    for batch in rule_batches(group.rules) if batches is None else batches:
        yield _batch_run(group, batch, around, recordings, at_ms=at_ms)
        between()


def _batch_run(
    group: GroupPlan,
    batch: RuleBatch,
    around: Surroundings,
    recordings: Recordings,
    *,
    at_ms: int,
) -> BatchRun:
    started = time.monotonic()
    run = _asked_steps if batch.asks_datasources else _batch_steps
    steps = run(group, batch, around, at_ms=at_ms)
    recording: list[RulePlan] = []
    for place, step in steps.items():
        rule = group.rules[place]
        if rule.kind is RuleKind.RECORDING:
            recordings.note(rule, step)
            recording.append(rule)
    problems = _written(steps, around)
    if recording:
        _mark_ended(recordings, recording, around)
    runs = [
        RuleRun(rule=group.rules[place], step=step, error=step.error or problems.get(place))
        for place, step in steps.items()
    ]
    duration_s = time.monotonic() - started
    return BatchRun(runs=tuple(runs), count=len(batch.places), duration_s=duration_s)


def _batch_steps(
    group: GroupPlan, batch: RuleBatch, around: Surroundings, *, at_ms: int
) -> dict[int, Step]:
    looked_at_ms = at_ms - group.query_offset_ms
    answers = around.querier.batch(batch.queries, looked_at_ms)
    asked = dict(zip(batch.places, answers, strict=True))
    looks = _Looks(batch=batch, querier=around.querier, at_ms=looked_at_ms)
    empty = _without_data(group, batch, asked, looks)
    steps: dict[int, Step] = {}  # of rules that do anything; the others' would be empty
    for place, answered in asked.items():
        rule = group.rules[place]
        if rule.kind is RuleKind.RECORDING:
            steps[place] = _recorded(group, rule, answered, written_ms=looked_at_ms)
        elif answered or rule.instances or place in empty:  # hardly ever
            found = empty.get(place, answered)
            outcome = outcome_of(
                rule,
                found,
                around,
                looked_at_ms,
                has_data=place not in empty,
                previous=rule.instances,
                questions=looks.questions(place) if rule.follows_series else None,
            )
            steps[place] = _alerting_step(group, rule, outcome, around, at_ms=at_ms)
    return steps


def _alerting_step(
    group: GroupPlan, rule: RulePlan, outcome: Outcome, around: Surroundings, *, at_ms: int
) -> Step:
    room = None if around.rooms is None else around.rooms.left_beside(rule)
    step = alerts_step(
        rule_terms(group, rule, room=room),
        rule.instances,
        outcome,
        at_ms=at_ms,
        previous_at_ms=group.previous_at_ms_of(rule),
    )
    if around.rooms is not None:
        around.rooms.note(rule, step)
    return step


@dataclass(slots=True, kw_only=True)
class _Looks:
    """What is asked of a batch only where answers leave a question, once for all its rules."""

    batch: RuleBatch
    querier: RuleQuerier
    at_ms: int
    _sources: list[Answered] | None = None
    _recoveries: list[Answered] | None = None

    def sources(self, place: int) -> list[Answered]:
        """Return what a rule's expression reads."""
        if self._sources is None:
            self._sources = self.querier.batch(self.batch.sources, self.at_ms)
        return [self._sources[source] for source in self.batch.watched.get(place, ())]

    def recovery(self, place: int) -> Answered:
        """Return what a rule's recovery expression answers."""
        if self._recoveries is None:
            self._recoveries = self.querier.batch(self.batch.recoveries, self.at_ms)
        return self._recoveries[self.batch.recovered_by[place]]

    def questions(self, place: int) -> Questions:
        """Return the questions of one rule."""
        return Questions(
            recovery=partial(self.recovery, place), sources=partial(self.sources, place)
        )


def _asked_steps(
    group: GroupPlan, batch: RuleBatch, around: Surroundings, *, at_ms: int
) -> dict[int, Step]:
    (place,) = batch.places
    rule, looked_at_ms = group.rules[place], at_ms - group.query_offset_ms
    answered = asked_answer(rule, around, looked_at_ms)
    if rule.kind is RuleKind.RECORDING:
        found: Answered | Exception = (
            answered
            if isinstance(answered, Exception)
            else [
                (one.labels, one.value, None)
                for one in answered.dimensions
                if one.value is not None
            ]
        )
        recorded = _recorded(group, rule, found, written_ms=looked_at_ms)
        failing = answered.failing if isinstance(answered, ConditionError) else ()
        return {place: replace(recorded, failing=failing)}
    outcome = asked_outcome(rule, answered, around, looked_at_ms)
    step = _alerting_step(group, rule, outcome, around, at_ms=at_ms)
    if isinstance(answered, ConditionError):
        step = replace(step, failing=answered.failing)
    return {place: step} if step.error or rule.instances or step.instances else {}


def asked_answer(rule: RulePlan, around: Surroundings, at_ms: int) -> ConditionAnswer | Exception:
    """Return what the datasources of a rule say, or why they say nothing."""
    if around.ask is None:
        return ConditionError("datasources can't be asked here")
    try:
        return around.ask(rule, at_ms)
    except Exception as error:  # noqa: BLE001 - whatever fails belongs to this one rule
        return error


def _without_data(
    group: GroupPlan, batch: RuleBatch, asked: Mapping[int, Answered], looks: _Looks
) -> dict[int, Answered]:
    """Return the rules that watch for missing data and miss it; an error stands for its rule."""
    missing: dict[int, Answered] = {}
    for place in batch.watched:
        if asked[place] or isinstance(asked[place], Exception):
            continue
        if group.rules[place].no_data is NoDataPolicy.OK:
            continue
        sources = looks.sources(place)
        if not any(one for one in sources if not isinstance(one, Exception)):
            errors = [one for one in sources if isinstance(one, Exception)]
            missing[place] = errors[0] if errors else ()
    return missing


def _written(steps: Mapping[int, Step], around: Surroundings) -> dict[int, str]:
    """Store the samples of some rules; return by place why a rule's are not."""
    samples = [sample for step in steps.values() for sample in step.samples]
    if not samples:
        return {}
    store, tenant = around.querier.store, around.querier.tenant
    problems: dict[int, str] = {}
    try:
        store.append(tenant, samples)
    except StoreError as failure:
        if not failure.retryable:
            return _written_singly(steps, around)
        problem = f"series not written: {failure}"
        problems = {place: problem for place, step in steps.items() if step.samples}
    return problems


def _written_singly(steps: Mapping[int, Step], around: Surroundings) -> dict[int, str]:
    problems: dict[int, str] = {}
    for place, step in steps.items():
        if not step.samples:
            continue
        try:
            around.querier.store.append(around.querier.tenant, step.samples)
        except StoreError as failure:
            problems[place] = f"series not written: {failure}"
    return problems


def _mark_ended(recordings: Recordings, rules: Sequence[RulePlan], around: Surroundings) -> None:
    try:
        ended: list[Sample] = recordings.ended(rules, around.querier)
        if ended:
            around.querier.store.append(around.querier.tenant, ended)
    except StoreError as failure:  # their series go on for the lookback; the rules are well
        logger.warning("recorded series that ended could not be marked: %s", failure)


def rule_outcome(group: GroupPlan, rule: RulePlan, around: Surroundings, *, at_ms: int) -> Outcome:
    """Return what an alerting rule's expression says at a time, labels and annotations expanded."""
    plan = replace(rule, kind=RuleKind.ALERTING)
    (batch,) = rule_batches([plan])
    looked_at_ms = at_ms - group.query_offset_ms
    (answered,) = around.querier.batch(batch.queries, looked_at_ms)
    looks = _Looks(batch=batch, querier=around.querier, at_ms=looked_at_ms)
    empty = _without_data(replace(group, rules=(plan,)), batch, {0: answered}, looks)
    found = empty.get(0, answered)
    return outcome_of(rule, found, around, looked_at_ms, has_data=not empty)


def outcome_of(
    rule: RulePlan,
    answered: Answered,
    around: Surroundings,
    at_ms: int,
    *,
    has_data: bool,
    previous: Sequence[Instance] = (),
    questions: Questions | None = None,
) -> Outcome:
    """Return an alerting rule's answer as the state machine takes it, templates expanded.

    ``questions`` tell what became of the ``previous`` alerts, for rules that follow their series.
    """
    scope = _scope(around, at_ms)
    if isinstance(answered, Exception):
        return _failure(rule, answered, scope)
    if not answered and not has_data and rule.no_data is not NoDataPolicy.OK:
        return NoData(element=_element(rule, {}, float("nan"), scope))
    elements = tuple(_element(rule, labels, value, scope) for labels, value, _ in answered)
    if questions is None or not previous:
        return Answer(elements=elements)
    found = followed(rule, previous, elements, questions)
    return _failure(rule, found, scope) if isinstance(found, Exception) else found


def _failure(rule: RulePlan, error: Exception, scope: TemplateScope) -> Failure:
    message = problem_text(rule, error)
    return Failure(message=message, element=_element(rule, {}, float("nan"), scope))


def _scope(around: Surroundings, at_ms: int) -> TemplateScope:
    return TemplateScope(
        query=lambda text: around.querier.vector(text, at_ms),
        external_url=around.external_url,
        external_labels=around.external_labels,
    )


def asked_outcome(
    rule: RulePlan, answered: ConditionAnswer | Exception, around: Surroundings, at_ms: int
) -> Outcome:
    """Return what an alerting rule's condition says, as the state machine takes it."""
    scope = _scope(around, at_ms)
    if isinstance(answered, Exception):
        message = problem_text(rule, answered)
        return Failure(message=message, element=_bare(rule, scope), marks=_marks(answered))
    if answered.is_no_data:
        return NoData(element=_bare(rule, scope), marks=answered.marks)
    dimensions = answered.dimensions
    earlier = [item for item in rule.instances if item.is_active and item.is_ordinary]
    return Answer(
        elements=tuple(_of_dimension(rule, one, scope) for one in dimensions if one.holds),
        missing=tuple(_of_dimension(rule, one, scope) for one in dimensions if one.value is None),
        gone=gone_of(earlier, [one.labels for one in dimensions]) if earlier else frozenset(),
        recovered=recovered_of(earlier, answered.recovered) if earlier else frozenset(),
        marks=answered.marks,
    )


def _marks(error: Exception) -> Mapping[str, str]:
    return error.marks if isinstance(error, ConditionError) else {}


def _bare(rule: RulePlan, scope: TemplateScope) -> Element:
    nothing = Dimension(labels={}, value=None, shown=float("nan"))
    return _of_dimension(rule, nothing, scope)


def _of_dimension(rule: RulePlan, dimension: Dimension, scope: TemplateScope) -> Element:
    def expand(text: str) -> str:
        return scope.expanded(text, dimension.labels, dimension.summary, dimension.values)

    labels = fitting_labels(dimension.labels)
    labels |= {name: expand(text) for name, text in rule.labels.items()}
    labels[ALERT_NAME] = rule.name
    return Element(
        labels={name: text for name, text in labels.items() if text},
        annotations={name: expand(text) for name, text in rule.annotations.items()},
        value=dimension.shown,
        source=dict(dimension.labels),
    )


def problem_text(rule: RulePlan, error: Exception) -> str:
    """Return what is told of an error; a defect met by one rule is logged."""
    if isinstance(error, PromqlError | StoreError | ConditionError):
        return str(error)
    logger.error("rule %s: evaluation failed unexpectedly", rule.name, exc_info=error)
    return f"unexpected failure: {error!r}"


def _element(
    rule: RulePlan, sample_labels: Mapping[str, str], value: float, scope: TemplateScope
) -> Element:
    labels = {name: text for name, text in sample_labels.items() if name != METRIC_NAME}
    for name, text in rule.labels.items():
        labels[name] = scope.expanded(text, sample_labels, value)
    labels[ALERT_NAME] = rule.name
    return Element(
        labels={name: text for name, text in labels.items() if text},
        annotations={
            name: scope.expanded(text, sample_labels, value)
            for name, text in rule.annotations.items()
        },
        value=value,
        source=plain_labels(sample_labels) if rule.follows_series else {},
    )


def _recorded(group: GroupPlan, rule: RulePlan, answered: Answered, *, written_ms: int) -> Step:
    if isinstance(answered, Exception):
        return Step(instances=(), error=problem_text(rule, answered))
    return recording_step(rule, answered, limit=group.limit, written_ms=written_ms)
