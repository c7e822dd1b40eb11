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
from detectviz.promql.histograms.buckets import is_custom
from detectviz.promql.labels import Labels
from detectviz.promql.native_remarks import NativeRemarks, Operation
from detectviz.promql.vectors import StepVector, no_histograms
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import METRIC_NAME, Float64Array, HistogramArray

Combine: TypeAlias = Callable[[Sequence[Histogram]], Combined]

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
        for step in np.flatnonzero((counts > 0) & ~mixed).tolist():
            rows = members[held[:, step]]
            found = combined_at(
                operator,
                vector.histograms[rows, step].tolist(),
                [vector.labels[row] for row in rows.tolist()],
                remarks,
            )
            histograms[group, step] = found
            present[group, step] = found is not None
    return StepVector(
        labels=floats.labels,
        values=_without(floats.values, histograms),
        present=present,
        drop_name=floats.drop_name,
        histograms=histograms,
    )


def _without(values: Float64Array, histograms: HistogramArray) -> Float64Array:
    return np.where(histograms.astype(np.bool_), np.nan, values)


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
