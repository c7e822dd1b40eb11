"""Two answers made one."""

from collections.abc import Mapping, Sequence

import numpy as np

from detectviz.tsdb.interface import HistogramArray, Int64Array, SeriesSet
from detectviz.tsdb.labels import LabelKey, label_key


def series_sets_merged(sets: Sequence[SeriesSet]) -> SeriesSet:
    """Merge raw answers; of two samples of a series with one time that of the earlier set stays."""
    filled = [one for one in sets if len(one)]
    if len(filled) == 1:
        return filled[0]
    if not filled:
        return sets[0]
    keys, owners = _owners(filled)
    times = np.concatenate([one.timestamps_ms for one in filled])
    order = np.lexsort((times, owners))  # stable: of equals the earlier set's comes first
    owners, times = owners[order], times[order]
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (np.diff(times) != 0) | (np.diff(owners) != 0)
    chosen = order[fresh]
    counts = np.bincount(owners[fresh], minlength=len(keys))
    histograms = _histograms(filled)
    return SeriesSet(
        labels=tuple(dict(key) for key in keys),
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        timestamps_ms=times[fresh],
        values=np.concatenate([one.values for one in filled])[chosen],
        histograms=None if histograms is None else histograms[chosen],
    )


def label_sets_merged(
    sets: Sequence[Sequence[Mapping[str, str]]],
) -> tuple[Mapping[str, str], ...]:
    """Return every label set once, ordered."""
    keys = {label_key(labels) for labels in sets[0]}
    if not any(sets[1:]):
        return tuple(sets[0])
    for labels in sets[1:]:
        keys.update(label_key(one) for one in labels)
    return tuple(dict(key) for key in sorted(keys))


def _owners(sets: Sequence[SeriesSet]) -> tuple[list[LabelKey], Int64Array]:
    keys = [[label_key(labels) for labels in one.labels] for one in sets]
    ordered = sorted({key for own in keys for key in own})
    places = {key: place for place, key in enumerate(ordered)}
    owners = [
        np.repeat(np.array([places[key] for key in own], np.int64), np.diff(one.offsets))
        for own, one in zip(keys, sets, strict=True)
    ]
    return ordered, np.concatenate(owners)


def _histograms(sets: Sequence[SeriesSet]) -> HistogramArray | None:
    if all(one.histograms is None for one in sets):
        return None
    return np.concatenate(
        [
            np.full(len(one.values), None, np.object_) if one.histograms is None else one.histograms
            for one in sets
        ]
    )
