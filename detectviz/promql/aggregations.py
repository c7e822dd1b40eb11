"""Aggregations that make one series of each group."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from detectviz.promql.grouping import Groups
from detectviz.promql.native_aggregations import COMBINED, combine_groups
from detectviz.promql.native_remarks import NativeRemarks
from detectviz.promql.over_time import sorted_quantiles
from detectviz.promql.summation import row_group_means, row_group_sums
from detectviz.promql.vectors import BoolArray, StepVector
from detectviz.tsdb.interface import Float64Array, Int64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedRows:
    """A vector's rows sorted by group; values and presence are [series, steps]."""

    values: Float64Array
    present: BoolArray
    groups: Groups
    counts: Int64Array

    @property
    def starts(self) -> Int64Array:
        """First row of each group."""
        return self.groups.starts

    def masked(self, fill: float) -> Float64Array:
        """Return the values with ``fill`` where no sample is."""
        return self.values if self.present.all() else np.where(self.present, self.values, fill)

    def spread(self, per_group: Float64Array) -> Float64Array:
        """Repeat [groups, steps] for each row of the group."""
        sizes = np.diff(np.append(self.starts, len(self.values)))
        return np.repeat(per_group, sizes, axis=0)


_Reducer: TypeAlias = Callable[[GroupedRows], Float64Array]


def _sum(rows: GroupedRows) -> Float64Array:
    return row_group_sums(rows.masked(0.0), rows.starts)


def _average(rows: GroupedRows) -> Float64Array:
    return row_group_means(rows.masked(0.0), rows.starts, rows.counts.astype(np.float64))


def _count(rows: GroupedRows) -> Float64Array:
    return rows.counts.astype(np.float64)


def _group(rows: GroupedRows) -> Float64Array:
    return np.ones(rows.counts.shape)


def _minimum(rows: GroupedRows) -> Float64Array:
    lowest: Float64Array = np.fmin.reduceat(rows.masked(np.nan), rows.starts, axis=0)
    return lowest


def _maximum(rows: GroupedRows) -> Float64Array:
    highest: Float64Array = np.fmax.reduceat(rows.masked(np.nan), rows.starts, axis=0)
    return highest


def _variance(rows: GroupedRows) -> Float64Array:
    """Population variance about the smallest value, so that equal values give exactly zero."""
    shifted = rows.values - rows.spread(_minimum(rows))
    inside = np.where(rows.present, shifted, 0.0)
    mean = np.add.reduceat(inside, rows.starts, axis=0) / rows.counts
    deviation = np.where(rows.present, shifted - rows.spread(mean), 0.0)
    squares: Float64Array = np.add.reduceat(deviation * deviation, rows.starts, axis=0)
    return squares / rows.counts


def _deviation(rows: GroupedRows) -> Float64Array:
    return np.sqrt(_variance(rows))


_REDUCERS: dict[str, _Reducer] = {
    "avg": _average,
    "count": _count,
    "group": _group,
    "max": _maximum,
    "min": _minimum,
    "stddev": _deviation,
    "stdvar": _variance,
    "sum": _sum,
}


_COUNTS_ANY = frozenset({"count", "group"})


def reduce_groups(
    operator: str, vector: StepVector, groups: Groups, remarks: NativeRemarks
) -> StepVector:
    """Reduce each group to one series by ``sum``, ``avg``, … ``group``.

    Native histograms can be summed, averaged and counted; others pass over them with a remark.
    """
    rows = _grouped(vector if operator in _COUNTS_ANY else vector.floats(), groups)
    floats = _one_per_group(groups, _REDUCERS[operator](rows), rows.counts > 0)
    if operator in _COUNTS_ANY or not vector.has_histograms:
        return floats
    if operator in COMBINED:
        return combine_groups(operator, vector, groups, floats, remarks)
    remarks.ignored_in_group(operator)
    return floats


def group_quantiles(q: Float64Array, vector: StepVector, groups: Groups) -> StepVector:
    """Reduce each group to its ``q`` (float64[steps]) quantile; NaN sorts below all numbers."""
    values = np.full((len(groups), vector.steps), np.nan)
    counts = np.zeros(values.shape, dtype=np.int64)
    for group in range(len(groups)):
        members = groups.members(group)
        ordered, counts[group] = _ascending(vector.values[members], vector.present[members])
        values[group] = sorted_quantiles(ordered, counts[group], q)
    return _one_per_group(groups, values, counts > 0)


def _ascending(values: Float64Array, present: BoolArray) -> tuple[Float64Array, Int64Array]:
    """Return [steps, members] ascending (NaN first, absent last) and how many are present."""
    undefined = np.isnan(values)
    rank = np.where(present, np.where(undefined, 0, 1), 2)
    order = np.lexsort((values, rank), axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    return ordered.T, present.sum(axis=0)


def _grouped(vector: StepVector, groups: Groups) -> GroupedRows:
    present = vector.present[groups.order]
    counts = np.add.reduceat(present, groups.starts, axis=0, dtype=np.int64)
    values = vector.values[groups.order]
    return GroupedRows(values=values, present=present, groups=groups, counts=counts)


def _one_per_group(groups: Groups, values: Float64Array, present: BoolArray) -> StepVector:
    return StepVector(
        labels=groups.labels, values=values, present=present, drop_name=groups.drop_name
    )
