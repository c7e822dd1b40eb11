"""What a rule would do now, and the picture of its expression beside its threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from apps.alerting.services.evaluation import Surroundings, rule_outcome
from apps.alerting.services.plans import GroupPlan, RulePlan
from apps.alerting.services.queries import QUERY_TIMEOUT_S, SAMPLES_PER_QUERY, rule_querier
from apps.alerting.services.rule_specs import rule_plan, rule_problems
from apps.alerting.services.state_values import Answer, Element, NoData
from apps.series.selectors import Tenant
from apps.series.services import series_store
from detectviz.clock import to_ms
from detectviz.promql import nodes
from detectviz.promql.engine import Engine
from detectviz.promql.errors import PromqlError
from detectviz.promql.parser import parse
from detectviz.promql.results import Matrix
from detectviz.promql.signatures import COMPARISONS
from detectviz.resources.errors import InvalidFieldsError
from detectviz.tsdb.interface import StoreError

MOST_ELEMENTS = 500
MOST_LINES = 50
POINTS = 240
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A comparison with a number at the top of an expression: what, how, with what."""

    expression: nodes.Expression
    operator: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series of the picture; None where it has no value."""

    labels: Mapping[str, str]
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would fire at ``at``, and the expression without its threshold over time."""

    at: datetime
    elements: tuple[Element, ...]
    total: int
    has_data: bool
    operator: str
    threshold: float | None
    timestamps_ms: Sequence[int]
    lines: tuple[Line, ...]


def rule_preview(
    *, tenant: Tenant, rule: Mapping[str, Any], at: datetime, shown_s: float = 3600.0
) -> Preview:
    """Evaluate a rule as written, once, changing nothing.

    Raise InvalidFieldsError naming the field (``expr``, ``labels.team``) when it is no rule or
    can't be evaluated. At most 500 elements and 50 lines are returned, ``total`` counts all.
    """
    rule = {"alert": "Preview", **rule}
    problems = rule_problems(rule)
    if problems:
        raise InvalidFieldsError(problems)
    plan = rule_plan(rule, key="preview")
    querier = rule_querier(series_store(), tenant.uid)
    around = Surroundings(querier=querier, external_url=settings.EXTERNAL_URL)
    group = GroupPlan(name="preview", interval_ms=60_000, rules=(plan,))
    outcome = rule_outcome(group, plan, around, at_ms=to_ms(at))
    if not isinstance(outcome, Answer | NoData):
        raise InvalidFieldsError({"expr": [outcome.message]})
    elements = outcome.elements if isinstance(outcome, Answer) else ()
    threshold = threshold_of(parse(plan.expr))
    matrix = _drawn(tenant.uid, plan, threshold, at=at, shown_s=shown_s)
    return Preview(
        at=at,
        elements=elements[:MOST_ELEMENTS],
        total=len(elements),
        has_data=bool(elements) or bool(len(matrix)),
        operator=threshold.operator if threshold else "",
        threshold=threshold.value if threshold else None,
        timestamps_ms=matrix.timestamps_ms.tolist(),
        lines=_lines(matrix),
    )


def rule_lines(
    *, tenant: Tenant, rule: Mapping[str, Any], at: datetime, shown_s: float
) -> tuple[Sequence[int], tuple[Line, ...]]:
    """Return the times (Unix milliseconds) and lines of a valid rule's expression up to ``at``.

    A threshold at its top is left aside. Raise InvalidFieldsError when it can't be evaluated.
    """
    plan = rule_plan({"alert": "Preview", **rule}, key="preview")
    matrix = _drawn(tenant.uid, plan, threshold_of(parse(plan.expr)), at=at, shown_s=shown_s)
    return matrix.timestamps_ms.tolist(), _lines(matrix)


def threshold_of(expression: nodes.Expression) -> Threshold | None:
    """Return the comparison with a number at the top of an expression, if that is what it is."""
    node = nodes.unwrap(expression)
    if not isinstance(node, nodes.Binary) or node.operator not in COMPARISONS or node.is_bool:
        return None
    left, right = _number(node.left), _number(node.right)
    if right is not None and left is None:
        return Threshold(expression=node.left, operator=node.operator, value=right)
    if left is not None and right is None:
        operator = _MIRRORED.get(node.operator, node.operator)
        return Threshold(expression=node.right, operator=operator, value=left)
    return None


def _number(expression: nodes.Expression) -> float | None:
    """Return the value of a constant such as ``-5`` or ``14 * 86400``."""
    node = nodes.unwrap(expression)
    if isinstance(node, nodes.NumberLiteral):
        return node.value
    if isinstance(node, nodes.Unary):
        value = _number(node.operand)
        return -value if value is not None and node.operator == "-" else value
    if isinstance(node, nodes.Binary):
        left, right = _number(node.left), _number(node.right)
        if left is not None and right is not None:
            return _arithmetic(node.operator, left, right)
    return None


def _arithmetic(operator: str, left: float, right: float) -> float | None:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/" if right:
            return left / right
    return None


def _drawn(
    tenant: str, plan: RulePlan, threshold: Threshold | None, *, at: datetime, shown_s: float
) -> Matrix:
    shown_ms = round(min(max(shown_s, 60.0), 7 * 86_400.0) * 1000)
    end_ms, step_ms = to_ms(at), max(1000, shown_ms // POINTS)
    expression = threshold.expression if threshold else parse(plan.expr)
    engine = Engine(series_store(), max_samples=SAMPLES_PER_QUERY, timeout_s=QUERY_TIMEOUT_S)
    try:
        found = engine.range(tenant, expression, end_ms - shown_ms, end_ms, step_ms).value
    except (PromqlError, StoreError) as error:
        raise InvalidFieldsError({"expr": [str(error)]}) from error
    assert isinstance(found, Matrix)
    return found


def _lines(matrix: Matrix) -> tuple[Line, ...]:
    return tuple(
        Line(
            labels=labels,
            values=[
                value if is_there and value - value == 0 else None  # finite: NaN and Inf are gaps
                for value, is_there in zip(values.tolist(), present.tolist(), strict=True)
            ],
        )
        for labels, values, present in zip(
            matrix.labels[:MOST_LINES],
            matrix.values[:MOST_LINES],
            matrix.present[:MOST_LINES],
            strict=True,
        )
    )
