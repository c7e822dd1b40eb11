"""Classic conditions: one number for several queries: 1 fires, 0 does not, null is no data.

Semantics: ``pkg/expr/classic`` of Grafana.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from detectviz.contracts.types import JsonObject
from detectviz.queries.errors import ExpressionError
from detectviz.queries.expressions.values import Floats, Value, Values, number


def _newest_over_oldest(
    compute: Callable[[float, float], float],
) -> Callable[[Floats], float]:
    return lambda floats: compute(float(floats[-1]), float(floats[0]))


# Of the values that are numbers; there is at least one.
_OF_NUMBERS: Mapping[str, Callable[[Floats], float]] = {
    "avg": lambda floats: float(np.mean(floats)),
    "sum": lambda floats: float(np.sum(floats)),
    "min": lambda floats: float(np.min(floats)),
    "max": lambda floats: float(np.max(floats)),
    "last": lambda floats: float(floats[-1]),
    "median": lambda floats: float(np.median(floats)),
    "count_non_null": lambda floats: float(len(floats)),
    "diff": _newest_over_oldest(lambda newest, oldest: newest - oldest),
    "diff_abs": _newest_over_oldest(lambda newest, oldest: abs(newest - oldest)),
    "percent_diff": _newest_over_oldest(
        lambda newest, oldest: _quotient(newest - oldest, abs(oldest)) * 100
    ),
    "percent_diff_abs": _newest_over_oldest(
        lambda newest, oldest: abs(_quotient(newest - oldest, oldest) * 100)
    ),
}
_DIFFERENCES = frozenset({"diff", "diff_abs", "percent_diff", "percent_diff_abs"})
REDUCERS = frozenset({"count", *_OF_NUMBERS})

_Test = Callable[[float, float, float], bool]
EVALUATORS: Mapping[str, tuple[int, _Test]] = {
    "gt": (1, lambda v, a, _: v > a),
    "lt": (1, lambda v, a, _: v < a),
    "eq": (1, lambda v, a, _: v == a),
    "ne": (1, lambda v, a, _: v != a),
    "ge": (1, lambda v, a, _: v >= a),
    "gte": (1, lambda v, a, _: v >= a),
    "le": (1, lambda v, a, _: v <= a),
    "lte": (1, lambda v, a, _: v <= a),
    "within_range": (2, lambda v, a, b: min(a, b) < v < max(a, b)),
    "outside_range": (2, lambda v, a, b: v < min(a, b) or v > max(a, b)),
    "within_range_included": (2, lambda v, a, b: min(a, b) <= v <= max(a, b)),
    "outside_range_included": (2, lambda v, a, b: v <= min(a, b) or v >= max(a, b)),
    "no_value": (0, lambda *_: False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition; ``operator`` joins it to the one before."""

    ref_id: str
    reducer: str
    evaluator: str
    parameters: tuple[float, ...]
    operator: Literal["and", "or"] = "and"


@dataclass(frozen=True, slots=True)
class _Judgement:
    is_firing: bool
    is_no_data: bool
    matches: list[JsonObject]


def evaluate_conditions(conditions: tuple[Condition, ...], inputs: Mapping[str, Values]) -> Values:
    """Return one number; its ``meta`` has ``matches``, the values that fired."""
    is_firing = is_no_data = False
    matches: list[JsonObject] = []
    for place, condition in enumerate(conditions):
        judged = _judge(condition, inputs[condition.ref_id])
        if place == 0:
            is_firing, is_no_data = judged.is_firing, judged.is_no_data
        elif condition.operator == "or":
            is_firing = is_firing or judged.is_firing
            is_no_data = is_no_data or judged.is_no_data
        else:
            is_firing = is_firing and judged.is_firing
            is_no_data = is_no_data and judged.is_no_data
        matches += judged.matches
    result = None if is_no_data else float(is_firing)
    return (number(result, meta={"matches": matches}),)


def _judge(condition: Condition, values: Values) -> _Judgement:
    if not values and condition.evaluator == "no_value":
        return _Judgement(True, False, [{"metric": "", "value": None, "labels": {}}])
    is_firing, missing = False, 0
    matches: list[JsonObject] = []
    for value in values:
        reduced = _reduced(condition, value)
        if _holds(condition, reduced):
            is_firing = True
            matches.append({"metric": value.name, "value": reduced, "labels": dict(value.labels)})
        elif reduced is None:
            missing += 1
    is_no_data = missing == len(values)
    if is_no_data:
        matches.append({"metric": "NoData", "value": None, "labels": {}})
    return _Judgement(is_firing, is_no_data, matches)


def _holds(condition: Condition, value: float | None) -> bool:
    if condition.evaluator == "no_value":
        return value is None
    if value is None:
        return False
    _, test = EVALUATORS[condition.evaluator]
    return test(value, condition.parameters[0], condition.parameters[-1])


def _reduced(condition: Condition, value: Value) -> float | None:
    if value.is_no_data:
        return None
    if not value.is_series:
        if value.kind == "scalar":
            raise ExpressionError(f"can only reduce series, {condition.ref_id} is a scalar")
        return value.one()
    if not len(value.floats):
        return None
    if condition.reducer == "count":
        return float(len(value.floats))
    is_number = ~(value.nulls | np.isnan(value.floats))
    numbers = value.floats[is_number]
    if not len(numbers):
        return None
    if condition.reducer in _DIFFERENCES and np.flatnonzero(is_number)[-1] == 0:
        return 0.0  # one point has nothing to differ from
    with np.errstate(all="ignore"):
        return _OF_NUMBERS[condition.reducer](numbers)


def _quotient(a: float, b: float) -> float:
    return float(np.float64(a) / np.float64(b))
