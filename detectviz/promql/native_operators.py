"""Binary operators where at least one side is a native histogram."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from detectviz.promql import nodes
from detectviz.promql.annotations import AnnotationCollector
from detectviz.promql.histograms.arithmetic import (
    Combined,
    IncompatibleSchemasError,
    divided,
    is_conflict,
    scaled,
    subtracted,
    total,
)
from detectviz.promql.histograms.drafts import compacted
from detectviz.promql.histograms.equality import equal
from detectviz.promql.histograms.trimming import trimmed
from detectviz.promql.native_remarks import NativeRemarks, Operation
from detectviz.promql.signatures import COMPARISONS
from detectviz.tsdb.histograms import CounterReset, Histogram

Operand: TypeAlias = tuple[float, Histogram | None]
_WithNumber: TypeAlias = Callable[[Histogram, float], Histogram]

_SAME = {"==": True, "!=": False}


def _trim_upper(histogram: Histogram, limit: float) -> Histogram:
    return trimmed(histogram, limit, keeps_lower=True)


def _trim_lower(histogram: Histogram, limit: float) -> Histogram:
    return trimmed(histogram, limit, keeps_lower=False)


def _multiplied(histogram: Histogram, factor: float) -> Histogram:
    return compacted(scaled(histogram, factor))


def _divided(histogram: Histogram, divisor: float) -> Histogram:
    return compacted(divided(histogram, divisor))


_WITH_NUMBER: dict[str, _WithNumber] = {
    "*": _multiplied,
    "/": _divided,
    "</": _trim_upper,
    ">/": _trim_lower,
}


def operate_on_histograms(
    node: nodes.Binary, left: Operand, right: Operand, annotations: AnnotationCollector
) -> Operand | None:
    """Return the result; None, with a remark on why, where there is none."""
    remarks = NativeRemarks(annotations, node.span)
    (number, histogram), (other_number, other) = left, right
    if histogram is not None and other is not None:
        return _between(node, histogram, other, remarks)
    operation = _WITH_NUMBER.get(node.operator)
    if histogram is not None and operation is not None:
        return math.nan, operation(histogram, other_number)
    if other is not None and node.operator == "*":
        return math.nan, _multiplied(other, number)
    kinds = ["float" if one is None else "histogram" for one in (histogram, other)]
    remarks.incompatible_types(kinds[0], node.operator, kinds[1])
    return None


def _between(
    node: nodes.Binary, left: Histogram, right: Histogram, remarks: NativeRemarks
) -> Operand | None:
    if node.operator in _SAME:
        return _compared(node, left, right)
    if node.operator not in {"+", "-"}:
        remarks.incompatible_types("histogram", node.operator, "histogram")
        return None
    try:
        return _combined(node, left, right, remarks)
    except IncompatibleSchemasError:
        remarks.incompatible_layout(node.operator)
        return None


def _compared(node: nodes.Binary, left: Histogram, right: Histogram) -> Operand | None:
    holds = equal(left, right) is _SAME[node.operator]
    if node.is_bool and node.operator in COMPARISONS:
        return float(holds), None
    return (math.nan, left) if holds else None


def _combined(
    node: nodes.Binary, left: Histogram, right: Histogram, remarks: NativeRemarks
) -> Operand | None:
    is_sum = node.operator == "+"
    operation = Operation.ADDITION if is_sum else Operation.SUBTRACTION
    found: Combined = total((left, right)) if is_sum else subtracted(left, right)
    if is_conflict((left.counter_reset, right.counter_reset)):
        remarks.reset_conflict(operation)
        return None
    if found.is_reconciled:
        remarks.reconciled(operation)
    result = found.histogram
    return math.nan, result if is_sum else replace(result, counter_reset=CounterReset.GAUGE)
