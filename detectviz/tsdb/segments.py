"""Pieces of series put together into one columnar answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectviz.tsdb.extras import is_histogram, picked
from detectviz.tsdb.index import Selection
from detectviz.tsdb.interface import Float64Array, HistogramArray, Int64Array, SeriesSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Samples of some series, one series after the other.

    ``owners[i]`` is the place of a series in the answer, which owns the next ``counts[i]``
    samples; an owner appears once.
    """

    owners: Int64Array
    counts: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    histograms: HistogramArray | None = None
    start_times_ms: Int64Array | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Samples of ``len(offsets) - 1`` series; times ascend and are unique within a series."""

    offsets: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    histograms: HistogramArray | None = None
    start_times_ms: Int64Array | None = None


def assemble(size: int, segments: Sequence[Segment]) -> Columns:
    """Join segments, earlier ones first; of two samples with one timestamp the first stays."""
    counts = np.zeros(size, np.int64)
    for segment in segments:
        counts[segment.owners] += segment.counts
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    total = int(offsets[-1])
    timestamps, values = np.empty(total, np.int64), np.empty(total, np.float64)
    histograms = start_times = None
    if any(segment.histograms is not None for segment in segments):
        histograms = np.full(total, None, np.object_)
    if any(segment.start_times_ms is not None for segment in segments):
        start_times = np.zeros(total, np.int64)
    cursor = offsets[:-1].copy()
    for segment in segments:
        places = spread(cursor[segment.owners], segment.counts)
        timestamps[places], values[places] = segment.timestamps_ms, segment.values
        if histograms is not None and segment.histograms is not None:
            histograms[places] = segment.histograms
        if start_times is not None and segment.start_times_ms is not None:
            start_times[places] = segment.start_times_ms
        cursor[segment.owners] += segment.counts
    joined = Columns(
        offsets=offsets,
        timestamps_ms=timestamps,
        values=values,
        histograms=histograms,
        start_times_ms=start_times,
    )
    return joined if _ascends(joined) else _sorted(joined)


def series_set(selection: Selection, columns: Columns, *, resolution_ms: int = 0) -> SeriesSet:
    """Name the columns, leaving out series without a sample."""
    filled = np.flatnonzero(np.diff(columns.offsets))
    values, histograms, start_times = columns.values, columns.histograms, columns.start_times_ms
    if histograms is not None:
        places = is_histogram(histograms)
        values = np.where(places, np.nan, values)  # a fingerprint is for the store only
        histograms = histograms if places.any() else None
    if start_times is not None and not start_times.any():
        start_times = None
    return SeriesSet(
        labels=selection.take(filled).labels,
        offsets=np.concatenate([columns.offsets[:1], columns.offsets[filled + 1]]),
        timestamps_ms=columns.timestamps_ms,
        values=values,
        histograms=histograms,
        start_times_ms=start_times,
        resolution_ms=resolution_ms,
    )


def spread(starts: Int64Array, counts: Int64Array) -> Int64Array:
    """Return ``start, start + 1, …`` with ``count`` items for every start."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))


def _ascends(columns: Columns) -> bool:
    rises = np.diff(columns.timestamps_ms) > 0
    borders = columns.offsets[1:-1] - 1
    rises[borders[(borders >= 0) & (borders < len(rises))]] = True
    return bool(rises.all())


def _sorted(columns: Columns) -> Columns:
    size = len(columns.offsets) - 1
    owners = np.repeat(np.arange(size), np.diff(columns.offsets))
    order = np.lexsort((columns.timestamps_ms, owners))  # stable: the first of equals stays first
    timestamps, owners = columns.timestamps_ms[order], owners[order]
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (np.diff(timestamps) != 0) | (np.diff(owners) != 0)
    counts = np.bincount(owners[fresh], minlength=size)
    return Columns(
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        timestamps_ms=timestamps[fresh],
        values=columns.values[order][fresh],
        histograms=picked(picked(columns.histograms, order), fresh),
        start_times_ms=picked(picked(columns.start_times_ms, order), fresh),
    )
