"""Threshold: 1 where a value is over it, 0 where not; with a second one for the way back.

Semantics: ``pkg/expr/threshold.go`` and ``hysteresis.go`` of Grafana: what was over the threshold
at the evaluation before (``loaded``) is judged by the recovery threshold, the rest by the first.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from detectviz.queries.expressions.values import Floats, Mask, Value, Values, no_data

LabelSet: TypeAlias = frozenset[tuple[str, str]]
_Test: TypeAlias = Callable[[Floats, float, float], Mask]

TESTS: Mapping[str, tuple[int, _Test]] = {
    "gt": (1, lambda f, a, _: f > a),
    "lt": (1, lambda f, a, _: f < a),
    "eq": (1, lambda f, a, _: f == a),
    "ne": (1, lambda f, a, _: f != a),
    "gte": (1, lambda f, a, _: f >= a),
    "lte": (1, lambda f, a, _: f <= a),
    "within_range": (2, lambda f, a, b: (f > a) & (f < b)),
    "outside_range": (2, lambda f, a, b: (f < a) | (f > b)),
    "within_range_included": (2, lambda f, a, b: (f >= a) & (f <= b)),
    "outside_range_included": (2, lambda f, a, b: (f <= a) | (f >= b)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """One threshold; ``parameters`` are one bound, or two for ranges."""

    type: str
    parameters: tuple[float, ...]

    def over(self, floats: Floats) -> Mask:
        """Tell where values are over the threshold."""
        _, test = TESTS[self.type]
        return test(floats, self.parameters[0], self.parameters[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """``recovery`` says when a value that was over the threshold is over it no more."""

    evaluator: Evaluator
    recovery: Evaluator | None = None
    loaded: Collection[LabelSet] = frozenset()


def threshold_values(values: Values, threshold: Threshold) -> Values:
    """Return 0 and 1 in place of each value; null stays null, no data stays no data."""
    recovery = threshold.recovery
    if recovery is None:
        return tuple(_judged(each, threshold.evaluator) for each in values)
    if values and all(each.is_no_data for each in values):
        return (no_data(),)
    fresh, loaded = [], []
    for each in values:
        if frozenset(each.labels.items()) in threshold.loaded:
            loaded.append(_judged(each, recovery, is_inverted=True))
        else:
            fresh.append(_judged(each, threshold.evaluator))
    return (*fresh, *loaded)


def _judged(value: Value, evaluator: Evaluator, *, is_inverted: bool = False) -> Value:
    if value.is_no_data:
        return no_data()
    with np.errstate(invalid="ignore"):
        is_over = evaluator.over(value.floats)
    floats = (is_over != is_inverted).astype(np.float64)
    return replace(value, floats=floats, notices=())
