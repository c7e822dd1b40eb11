"""Samples between rows and columns."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from detectviz.tsdb.interface import (
    AppendReport,
    ColumnsReport,
    HistogramArray,
    Int64Array,
    Rejection,
    Sample,
    SampleColumns,
)
from detectviz.tsdb.labels import LabelKey


def labels_of_pairs(token: Hashable) -> Mapping[str, str]:
    """Return the labels of a token made by ``columns_of``: its pairs, in whatever order."""
    return dict(cast("LabelKey", token))


def columns_of(samples: Sequence[Sample]) -> SampleColumns:
    """Lay samples out as columns; the token of a series is its pairs as they came."""
    size = len(samples)
    places: dict[Hashable, int] = {}
    owners = [places.setdefault(tuple(s.labels.items()), len(places)) for s in samples]
    return SampleColumns(
        series=tuple(places),
        labels_of=labels_of_pairs,
        owners=np.array(owners, np.int64),
        timestamps_ms=np.fromiter((s.timestamp_ms for s in samples), np.int64, size),
        values=np.fromiter((s.value for s in samples), np.float64, size),
        histograms=_histograms(samples),
        start_times_ms=_start_times(samples),
    )


def append_report(samples: Sequence[Sample], report: ColumnsReport) -> AppendReport:
    """Say of rows what ``report`` says of the columns made of them."""
    reasons = {**report.refused, **report.limited}
    return AppendReport(
        stored=report.stored,
        rejected=tuple(Rejection(samples[at], reasons[at]) for at in sorted(reasons)),
    )


def used(columns: SampleColumns, bad: Sequence[int]) -> SampleColumns:
    """Return the columns without the samples at ``bad`` and without series nobody uses then."""
    kept = np.delete(np.arange(len(columns)), bad)
    places, owners = np.unique(columns.owners[kept], return_inverse=True)
    return replace(
        columns,
        series=[columns.series[place] for place in places.tolist()],
        owners=owners.astype(np.int64, copy=False),
        timestamps_ms=columns.timestamps_ms[kept],
        values=columns.values[kept],
        histograms=None if columns.histograms is None else columns.histograms[kept],
        start_times_ms=None if columns.start_times_ms is None else columns.start_times_ms[kept],
    )


def _histograms(samples: Sequence[Sample]) -> HistogramArray | None:
    if all(sample.histogram is None for sample in samples):
        return None
    histograms = np.empty(len(samples), np.object_)
    histograms[:] = [sample.histogram for sample in samples]
    return histograms


def _start_times(samples: Sequence[Sample]) -> Int64Array | None:
    starts = np.fromiter((sample.start_ms for sample in samples), np.int64, len(samples))
    return starts if starts.any() else None
