"""Part of an answer."""

import numpy as np

from detectviz.tsdb.interface import SeriesSet
from detectviz.tsdb.optional_columns import is_histogram


def series_set_within(found: SeriesSet, start_ms: int, end_ms: int) -> SeriesSet:
    """Return the samples with ``start_ms <= t <= end_ms``; series without any are left out."""
    inside = (found.timestamps_ms >= start_ms) & (found.timestamps_ms <= end_ms)
    if inside.all():
        return found
    before = np.zeros(len(inside) + 1, dtype=np.int64)
    np.cumsum(inside, out=before[1:])
    offsets = before[found.offsets]
    filled = np.flatnonzero(np.diff(offsets))
    histograms, start_times = found.histograms, found.start_times_ms
    if histograms is not None:
        histograms = histograms[inside]
        histograms = histograms if is_histogram(histograms).any() else None
    if start_times is not None:
        start_times = start_times[inside]
        start_times = start_times if start_times.any() else None
    labels = found.labels
    if len(filled) < len(labels):
        labels = tuple(labels[place] for place in filled.tolist())
    return SeriesSet(
        labels=labels,
        offsets=np.concatenate([offsets[:1], offsets[filled + 1]]),
        timestamps_ms=found.timestamps_ms[inside],
        values=found.values[inside],
        histograms=histograms,
        start_times_ms=start_times,
        resolution_ms=found.resolution_ms,
    )
