"""Binary operators on numbers, and between vectors and scalars."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.annotations import AnnotationCollector
from detectviz.promql.native_operators import Operand, operate_on_histograms
from detectviz.promql.signatures import COMPARISONS, TRIMS
from detectviz.promql.vectors import (
    BoolArray,
    StepScalar,
    StepVector,
    are_histograms,
    no_histograms,
)
from detectviz.tsdb.interface import Float64Array, HistogramArray

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


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of some series at every step: arrays of one shape, ``histograms`` if any is one."""

    values: Float64Array
    present: BoolArray
    histograms: HistogramArray | None = None


def operate(operator: str, left: Float64Array, right: Float64Array, *, is_bool: bool) -> Operated:
    """Apply an operator; the mask says what a comparison without ``bool`` keeps (of the left)."""
    if operator in _ARITHMETIC:
        return _ARITHMETIC[operator](left, right), None
    if operator in TRIMS:
        return left, np.zeros(left.shape, dtype=np.bool_)
    holds = _COMPARISON[operator](left, right)
    return (holds.astype(np.float64), None) if is_bool else (left, holds)


def operate_samples(
    node: nodes.Binary, left: Samples, right: Samples, annotations: AnnotationCollector
) -> Samples:
    """Apply an operator where both sides have a sample; filters keep the left one."""
    values, holds = operate(node.operator, left.values, right.values, is_bool=node.is_bool)
    both = left.present & right.present
    present = both if holds is None else both & holds
    if left.histograms is None and right.histograms is None and node.operator not in TRIMS:
        return Samples(values, present)
    special = are_histograms(left.histograms, both) | are_histograms(right.histograms, both)
    special |= both & (node.operator in TRIMS)
    histograms = no_histograms(values.shape)
    values, present = values.copy(), present.copy()
    for cell in zip(*np.nonzero(special), strict=True):
        operands = (_operand(left, cell), _operand(right, cell))
        found = operate_on_histograms(node, *operands, annotations)
        present[cell] = found is not None
        if found is not None:
            values[cell], histograms[cell] = found
    return Samples(values, present, histograms)


def _operand(samples: Samples, cell: tuple[int, ...]) -> Operand:
    histogram = None if samples.histograms is None else samples.histograms[cell]
    return float(samples.values[cell]), histogram


def between_scalars(operator: str, left: StepScalar, right: StepScalar) -> StepScalar:
    """Apply an operator to numbers; comparisons give 0 or 1."""
    values, _ = operate(operator, left.values, right.values, is_bool=True)
    return StepScalar(values)


def with_scalar(
    node: nodes.Binary,
    vector: StepVector,
    scalar: StepScalar,
    annotations: AnnotationCollector,
    *,
    is_scalar_left: bool,
) -> StepVector:
    """Apply an operator between each sample and a number; filters keep the sample."""
    sampled = Samples(vector.values, vector.present, vector.histograms)
    numbers = Samples(np.broadcast_to(scalar.values, vector.values.shape), vector.present)
    left, right = (numbers, sampled) if is_scalar_left else (sampled, numbers)
    found = operate_samples(node, left, right, annotations)
    if node.operator in COMPARISONS and not node.is_bool:
        return vector.filtered(found.present)
    if node.operator in TRIMS:
        return StepVector(
            labels=vector.labels,
            values=found.values,
            present=found.present,
            drop_name=vector.drop_name,
            histograms=found.histograms,
        )
    return vector.derived(found.values, found.present, found.histograms)
