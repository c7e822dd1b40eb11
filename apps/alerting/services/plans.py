"""Rules and groups as they are evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.alerting.enums import ErrorPolicy, NoDataPolicy, RuleKind
from apps.alerting.services.state_values import Instance, RuleTerms, Step


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
