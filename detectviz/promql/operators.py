"""Binary operators on numbers, and between vectors and scalars."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from detectviz.promql.signatures import COMPARISONS
from detectviz.promql.vectors import BoolArray, StepScalar, StepVector
from detectviz.tsdb.interface import Float64Array

_ARITHMETIC: dict[str, Callable[[Float64Array, Float64Array], Float64Array]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
_COMPARISON: dict[str, Callable[[Float64Array, Float64Array], BoolArray]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}

Operated: TypeAlias = tuple[Float64Array, BoolArray | None]


def operate(operator: str, left: Float64Array, right: Float64Array, *, is_bool: bool) -> Operated:
    """Apply an operator; the mask says what a comparison without ``bool`` keeps (of the left)."""
    if operator in _ARITHMETIC:
        return _ARITHMETIC[operator](left, right), None
    holds = _COMPARISON[operator](left, right)
    return (holds.astype(np.float64), None) if is_bool else (left, holds)


def between_scalars(operator: str, left: StepScalar, right: StepScalar) -> StepScalar:
    """Apply an operator to numbers; comparisons give 0 or 1."""
    values, _ = operate(operator, left.values, right.values, is_bool=True)
    return StepScalar(values)


def with_scalar(
    operator: str,
    vector: StepVector,
    scalar: StepScalar,
    *,
    is_bool: bool,
    is_scalar_left: bool,
) -> StepVector:
    """Apply an operator between each sample and a number; filters keep the sample."""
    pair = (vector.values, np.broadcast_to(scalar.values, vector.values.shape))
    left, right = (pair[1], pair[0]) if is_scalar_left else pair
    values, holds = operate(operator, left, right, is_bool=is_bool)
    if operator in COMPARISONS and not is_bool and holds is not None:
        return vector.filtered(holds)
    return vector.derived(values)
