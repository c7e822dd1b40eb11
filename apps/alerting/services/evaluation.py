"""Evaluates rules over a query engine: answers to labelled elements, states and series.

No database: what a rule was and what it becomes are values. Order and timestamps are those of
Prometheus' rule groups: rules one after the other, each seeing what those before it wrote.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from apps.alerting.enums import ErrorPolicy, NoDataPolicy, RuleKind
from apps.alerting.services.queries import RuleQuerier
from apps.alerting.services.state_machine import alerts_step
from apps.alerting.services.state_series import marked_stale
from apps.alerting.services.state_values import (
    Answer,
    Element,
    Failure,
    Instance,
    NoData,
    Outcome,
    RuleTerms,
    Step,
)
from apps.alerting.services.templates import TemplateScope
from detectviz.promql.errors import PromqlError
from detectviz.promql.parser import parse
from detectviz.tsdb.interface import METRIC_NAME, Sample, StoreError

ALERT_NAME = "alertname"
DUPLICATE_SERIES = "vector contains metrics with the same labelset after applying rule labels"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePlan:
    """One rule as it is evaluated; ``labels`` already contain the group's own."""

    key: str
    kind: RuleKind
    name: str
    expr: str
    for_ms: int = 0
    keep_firing_for_ms: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    no_data: NoDataPolicy = NoDataPolicy.OK
    on_error: ErrorPolicy = ErrorPolicy.KEEP_LAST
    instances: tuple[Instance, ...] = ()
    previous_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlan:
    """A group and its rules in order."""

    name: str
    interval_ms: int
    rules: tuple[RulePlan, ...]
    limit: int = 0
    query_offset_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRun:
    """What the evaluation of one rule came to; ``error`` is None when it is healthy."""

    rule: RulePlan
    step: Step
    error: str | None
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where rules are evaluated: the engine and what templates may know."""

    querier: RuleQuerier
    external_url: str = ""
    external_labels: Mapping[str, str] = field(default_factory=dict)


def rule_terms(group: GroupPlan, rule: RulePlan) -> RuleTerms:
    """Return what the state machine needs to know of a rule."""
    return RuleTerms(
        name=rule.name,
        for_ms=rule.for_ms,
        keep_firing_for_ms=rule.keep_firing_for_ms,
        no_data=rule.no_data,
        on_error=rule.on_error,
        interval_ms=group.interval_ms,
        query_offset_ms=group.query_offset_ms,
        limit=group.limit,
    )


def group_run(
    group: GroupPlan,
    around: Surroundings,
    *,
    at_ms: int,
    between: Callable[[], None] = lambda: None,
) -> Iterator[RuleRun]:
    """Evaluate the rules of a group in order at one time, and write their series.

    Each rule's series are stored before the next rule is looked at. Writing the same again is
    harmless: the store takes a sample it has silently. ``between`` is called after every rule.
    """
    for rule in group.rules:
        yield _rule_run(group, rule, around, at_ms=at_ms)
        between()


def _rule_run(group: GroupPlan, rule: RulePlan, around: Surroundings, *, at_ms: int) -> RuleRun:
    started = time.monotonic()
    run = _recorded if rule.kind is RuleKind.RECORDING else _alerted
    step = run(group, rule, around, at_ms=at_ms)
    error = step.error
    if step.samples:
        try:
            around.querier.store.append(around.querier.tenant, step.samples)
        except StoreError as failure:
            error = error or f"series not written: {failure}"
    return RuleRun(rule=rule, step=step, error=error, duration_s=time.monotonic() - started)


def _alerted(group: GroupPlan, rule: RulePlan, around: Surroundings, *, at_ms: int) -> Step:
    outcome = rule_outcome(group, rule, around, at_ms=at_ms)
    return alerts_step(
        rule_terms(group, rule),
        rule.instances,
        outcome,
        at_ms=at_ms,
        previous_at_ms=rule.previous_at_ms,
    )


def rule_outcome(group: GroupPlan, rule: RulePlan, around: Surroundings, *, at_ms: int) -> Outcome:
    """Return what an alerting rule's expression says at a time, labels and annotations expanded."""
    looked_at_ms = at_ms - group.query_offset_ms
    scope = TemplateScope(
        query=lambda text: around.querier.vector(text, looked_at_ms),
        external_url=around.external_url,
        external_labels=around.external_labels,
    )
    try:
        expression = parse(rule.expr)
        vector = around.querier.vector(expression, looked_at_ms)
        is_watched = rule.no_data is not NoDataPolicy.OK and not vector
        if is_watched and not around.querier.has_data(expression, looked_at_ms):
            return NoData(element=_element(rule, {}, float("nan"), scope))
    except (PromqlError, StoreError) as error:
        return Failure(message=str(error), element=_element(rule, {}, float("nan"), scope))
    except Exception as error:  # a defect met by one rule must not stop its neighbours
        logger.exception("rule %s: evaluation failed unexpectedly", rule.name)
        return Failure(
            message=f"unexpected failure: {error!r}",
            element=_element(rule, {}, float("nan"), scope),
        )
    return Answer(elements=tuple(_element(rule, labels, value, scope) for labels, value in vector))


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
    )


def _recorded(group: GroupPlan, rule: RulePlan, around: Surroundings, *, at_ms: int) -> Step:
    written_ms = at_ms - group.query_offset_ms
    try:
        vector = around.querier.vector(rule.expr, written_ms)
        samples = [Sample(_recorded_labels(rule, one), written_ms, value) for one, value in vector]
        if len({frozenset(sample.labels.items()) for sample in samples}) != len(samples):
            return Step(instances=(), error=DUPLICATE_SERIES)
        if 0 < group.limit < len(samples):
            message = f"exceeded limit of {group.limit} with {len(samples)} series"
            return Step(instances=(), error=message)
        gone = _gone_series(group, rule, around, samples, at_ms=written_ms)
    except (PromqlError, StoreError) as error:
        return Step(instances=(), error=str(error))
    except Exception as error:  # a defect met by one rule must not stop its neighbours
        logger.exception("rule %s: evaluation failed unexpectedly", rule.name)
        return Step(instances=(), error=f"unexpected failure: {error!r}")
    return Step(instances=(), samples=(*samples, *gone))


def _recorded_labels(rule: RulePlan, sample_labels: Mapping[str, str]) -> dict[str, str]:
    labels = {**sample_labels, METRIC_NAME: rule.name, **rule.labels}
    return {name: text for name, text in labels.items() if text}


def _gone_series(
    group: GroupPlan,
    rule: RulePlan,
    around: Surroundings,
    samples: Sequence[Sample],
    *,
    at_ms: int,
) -> tuple[Sample, ...]:
    """Return stale markers for what this rule wrote last time and does not write now.

    What it wrote is read back from the store, so that nothing has to be remembered elsewhere.
    """
    if rule.previous_at_ms is None:
        return ()
    before_ms = rule.previous_at_ms - group.query_offset_ms
    before = around.querier.series_at(rule.name, rule.labels, before_ms)
    return marked_stale([Sample(one, at_ms, 0.0) for one in before], samples, at_ms=at_ms)
