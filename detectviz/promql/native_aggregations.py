"""Sums and averages of groups that hold native histograms."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from detectviz.promql.grouping import Groups
from detectviz.promql.histograms.arithmetic import (
    Combined,
    IncompatibleSchemasError,
    is_conflict,
    mean,
    total,
)
from detectviz.promql.histograms.blocks import block_of
from detectviz.promql.histograms.buckets import is_custom
from detectviz.promql.labels import Labels
from detectviz.promql.native_blocks import step_totals
from detectviz.promql.native_remarks import NativeRemarks, Operation
from detectviz.promql.vectors import BoolArray, StepVector, no_histograms
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import METRIC_NAME, Float64Array, HistogramArray, Int64Array

Combine: TypeAlias = Callable[[Sequence[Histogram]], Combined]

# Samples laid out as rows of numbers at a time.
_MOST_CELLS = 50_000
COMBINED: dict[str, Combine] = {"sum": total, "avg": mean}


def combine_groups(
    operator: str, vector: StepVector, groups: Groups, floats: StepVector, remarks: NativeRemarks
) -> StepVector:
    """Add sums (or averages) of histograms to ``floats``, the same of the float samples.

    A group with floats and histograms at one step has no result there.
    """
    assert vector.histograms is not None
    native = vector.is_histogram
    shape = floats.present.shape
    histograms, present = no_histograms(shape), floats.present.copy()
    for group in range(len(groups)):
        members = groups.members(group)
        held = native[members]
        counts = held.sum(axis=0)
        mixed = (counts > 0) & present[group]
        if mixed.any():
            remarks.mixed_group()
            present[group] &= ~mixed
        held[:, mixed] = False
        histograms[group] = _Group(operator, vector, members, held, remarks).totals()
    present |= histograms.astype(np.bool_)
    return StepVector(
        labels=floats.labels,
        values=_without(floats.values, histograms),
        present=present,
        drop_name=floats.drop_name,
        histograms=histograms,
    )


def _without(values: Float64Array, histograms: HistogramArray) -> Float64Array:
    return np.where(histograms.astype(np.bool_), np.nan, values)


class _Group:
    """The histograms of one group: ``held`` bool[members, steps] tells which samples are ones."""

    def __init__(
        self,
        operator: str,
        vector: StepVector,
        members: Int64Array,
        held: BoolArray,
        remarks: NativeRemarks,
    ) -> None:
        assert vector.histograms is not None
        self.operator = operator
        self.labels = [vector.labels[row] for row in members.tolist()]
        self.samples = vector.histograms[members]
        self.held = held
        self.remarks = remarks

    def totals(self) -> HistogramArray:
        """Return one histogram per step that has any."""
        out = no_histograms((self.held.shape[1],))
        width = max(1, _MOST_CELLS // max(1, len(self.held)))
        for start in range(0, self.held.shape[1], width):
            steps = slice(start, start + width)
            if self.held[:, steps].any():
                out[steps] = self._of_steps(steps)
        return out

    def _of_steps(self, steps: slice) -> HistogramArray:
        held = self.held[:, steps]
        out = no_histograms((held.shape[1],))
        block = block_of(self.samples[:, steps][held].tolist())
        if block is None:
            for step in np.flatnonzero(held.any(axis=0)).tolist():
                out[step] = self._of_step(steps.start + step)
            return out
        totals, hints = step_totals(self.operator, block, held)
        if hints.conflicts.any():
            self.remarks.reset_conflict(Operation.AGGREGATION)
        out[held.any(axis=0)] = totals.histograms()
        return out

    def _of_step(self, step: int) -> Histogram | None:
        members = np.flatnonzero(self.held[:, step]).tolist()
        samples = self.samples[members, step].tolist()
        labels = [self.labels[one] for one in members]
        return combined_at(self.operator, samples, labels, self.remarks)


def combined_at(
    operator: str,
    histograms: Sequence[Histogram],
    labels: Sequence[Labels],
    remarks: NativeRemarks,
) -> Histogram | None:
    """Combine the histograms of one step; None where their schemas don't go together."""
    try:
        found = COMBINED[operator](histograms)
    except IncompatibleSchemasError:
        remarks.mixed_schemas(_first_odd(histograms, labels))
        return None
    if is_conflict(one.counter_reset for one in histograms):
        remarks.reset_conflict(Operation.AGGREGATION)
    if found.is_reconciled:
        remarks.reconciled(Operation.AGGREGATION)
    return found.histogram


def _first_odd(histograms: Sequence[Histogram], labels: Sequence[Labels]) -> str:
    """Return the name of the first series whose buckets are of another kind than the first's."""
    kinds = [is_custom(one) for one in histograms]
    return labels[kinds.index(not kinds[0])].get(METRIC_NAME, "")
