"""Pieces of series put together into one columnar answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.index import Selection
from detectviz.tsdb.interface import Float64Array, HistogramArray, Int64Array, SeriesSet
from detectviz.tsdb.optional_columns import is_histogram, picked

_AnyArray: TypeAlias = npt.NDArray[Any]

_LONG = 64  # samples per series from which copying series by series is quicker


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Samples of some series, one series after the other.

    ``owners[i]`` is the place of a series in the answer, which owns the next ``counts[i]``
    samples; an owner appears once. ``ascends`` promises that times do, within each series.
    """

    owners: Int64Array
    counts: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    histograms: HistogramArray | None = None
    start_times_ms: Int64Array | None = None
    ascends: bool = False


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
    joined = Columns(
        offsets=offsets,
        timestamps_ms=np.empty(total, np.int64),
        values=np.empty(total, np.float64),
        histograms=_empty(total, None, [segment.histograms for segment in segments]),
        start_times_ms=_empty(total, 0, [segment.start_times_ms for segment in segments]),
    )
    cursor = offsets[:-1].copy()
    newest = np.full(size, np.iinfo(np.int64).min)
    ascends = True
    for segment in segments:
        ascends = ascends and _follows(segment, newest)
        _put(joined, segment, cursor[segment.owners])
        cursor[segment.owners] += segment.counts
    return joined if ascends else _sorted(joined)


def _empty(total: int, missing: Any, columns: Sequence[_AnyArray | None]) -> _AnyArray | None:
    present = [column for column in columns if column is not None]
    return np.full(total, missing, present[0].dtype) if present else None


def _put(joined: Columns, segment: Segment, starts: Int64Array) -> None:
    """Copy a segment to where its owners' samples start."""
    pairs: list[tuple[_AnyArray, _AnyArray]] = [
        (joined.timestamps_ms, segment.timestamps_ms),
        (joined.values, segment.values),
    ]
    if joined.histograms is not None and segment.histograms is not None:
        pairs.append((joined.histograms, segment.histograms))
    if joined.start_times_ms is not None and segment.start_times_ms is not None:
        pairs.append((joined.start_times_ms, segment.start_times_ms))
    if len(segment.timestamps_ms) < _LONG * len(segment.owners):
        places = spread(starts, segment.counts)
        for into, column in pairs:
            into[places] = column
        return
    ends = np.cumsum(segment.counts).tolist()
    rows = zip(starts.tolist(), segment.counts.tolist(), ends, strict=True)
    for start, count, end in rows:
        for into, column in pairs:
            into[start : start + count] = column[end - count : end]


def _follows(segment: Segment, newest: Int64Array) -> bool:
    """Say whether a segment goes on where its owners' samples ended; note where they end now."""
    filled = segment.counts > 0
    owners, counts = segment.owners[filled], segment.counts[filled]
    ends = np.cumsum(counts)
    first, last = segment.timestamps_ms[ends - counts], segment.timestamps_ms[ends - 1]
    follows = bool((first > newest[owners]).all())
    newest[owners] = last
    return follows and (segment.ascends or _rises(segment.timestamps_ms, ends[:-1]))


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


def _rises(timestamps_ms: Int64Array, borders: Int64Array) -> bool:
    """Say whether times ascend but for the borders, where another series begins."""
    rises = np.diff(timestamps_ms) > 0
    rises[borders - 1] = True
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
