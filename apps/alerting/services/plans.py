"""Rules and groups as they are evaluated."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from apps.alerting.enums import ErrorPolicy, NoDataPolicy, RuleKind
from apps.alerting.services.state_values import FlapTerms, Instance, RuleTerms, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePlan:
    """One rule as it is evaluated; ``labels`` already contain the group's own.

    ``is_evaluated`` says that the rule was there when its group was last evaluated.
    """

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
    is_evaluated: bool = False
    queries: Sequence[Mapping[str, Any]] = ()  # of datasources; without them ``expr`` is PromQL
    condition: str = ""
    recovery_expr: str = ""
    recovery_condition: str = ""
    missing_evaluations: int = 0
    limit: int = 0
    flapping: FlapTerms | None = None

    @property
    def has_recovery(self) -> bool:
        """Whether what fires goes on until something else holds."""
        return bool(self.recovery_expr or self.recovery_condition)

    @property
    def follows_series(self) -> bool:
        """Whether it matters which series an alert came from."""
        return self.has_recovery or self.missing_evaluations > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlan:
    """A group and its rules in order."""

    name: str
    interval_ms: int
    rules: tuple[RulePlan, ...]
    limit: int = 0
    query_offset_ms: int = 0
    previous_at_ms: int | None = None

    def previous_at_ms_of(self, rule: RulePlan) -> int | None:
        """Return when a rule was last evaluated: with the group, or never."""
        return self.previous_at_ms if rule.is_evaluated else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRun:
    """What the evaluation of one rule came to; ``error`` is None when it is healthy."""

    rule: RulePlan
    step: Step
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRun:
    """What some consecutive rules came to that were asked together.

    ``runs`` are those that did anything, in order; the rest, of ``count``, is well and silent.
    """

    runs: tuple[RuleRun, ...]
    count: int
    duration_s: float


def plans_after(group: GroupPlan, runs: Iterable[RuleRun], *, at_ms: int) -> GroupPlan:
    """Return a group as it is after an evaluation; rules that stay the same are kept."""
    changed = {run.rule.key: run.step.instances for run in runs}
    is_same = not changed and all(rule.is_evaluated for rule in group.rules)
    rules = group.rules if is_same else tuple(_after(rule, changed) for rule in group.rules)
    return replace(group, rules=rules, previous_at_ms=at_ms)


def _after(rule: RulePlan, changed: Mapping[str, tuple[Instance, ...]]) -> RulePlan:
    instances = changed.get(rule.key, ())
    if rule.is_evaluated and instances == rule.instances == ():
        return rule
    return replace(rule, instances=instances, is_evaluated=True)


def rule_terms(group: GroupPlan, rule: RulePlan, *, room: int | None = None) -> RuleTerms:
    """Return what the state machine needs to know of a rule; ``room`` is what the org has left."""
    return RuleTerms(
        name=rule.name,
        for_ms=rule.for_ms,
        keep_firing_for_ms=rule.keep_firing_for_ms,
        no_data=rule.no_data,
        on_error=rule.on_error,
        interval_ms=group.interval_ms,
        query_offset_ms=group.query_offset_ms,
        limit=rule.limit or group.limit,
        room=room,
        has_recovery=rule.has_recovery,
        missing_evaluations=rule.missing_evaluations,
        flapping=rule.flapping,
    )
