"""From appended columns to lots, remembering the bytes of labels seen before."""

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.admission import DUPLICATE
from detectviz.tsdb.histogram_validity import histogram_refusal
from detectviz.tsdb.interface import STALE_NAN_BITS, Int64Array, SampleColumns
from detectviz.tsdb.labels import (
    OUT_OF_BOUNDS,
    LabelKey,
    label_key,
    label_refusal,
    out_of_bounds,
)
from detectviz.tsdb.remote_histograms import encode_histogram
from detectviz.tsdb.remote_write import encode_labels
from detectviz.tsdb.sending.lots import Lot

_MOST_REMEMBERED = 500_000
_SAMPLES_PER_LOT = 10_000

_LabelsOf: TypeAlias = Callable[[Hashable], Mapping[str, str]]
_Memory: TypeAlias = dict[Hashable, bytes]


@dataclass(slots=True)
class LabelMemory:
    """Encoded labels by tenant and token; forgotten all at once when there are too many."""

    stamp: Callable[[str], LabelKey]
    refusal: Callable[[LabelKey], str | None]
    _memories: dict[tuple[str, _LabelsOf], _Memory] = field(default_factory=dict)
    _size: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def encoded(self, tenant: str, columns: SampleColumns) -> tuple[list[bytes], dict[int, str]]:
        """Return the labels of every series named, and reasons by place for those refused."""
        memory = self._memory(tenant, columns.labels_of)
        found = [memory.get(token, b"") for token in columns.series]
        refused: dict[int, str] = {}
        if not all(found):
            stamp = self.stamp(tenant)
            for place, token in enumerate(columns.series):
                if not found[place]:
                    try:
                        found[place] = memory[token] = self._encoded(columns, token, stamp)
                        self._size += 1
                    except ValueError as error:
                        refused[place] = str(error)
        return found, refused

    def _memory(self, tenant: str, labels_of: _LabelsOf) -> _Memory:
        with self._lock:
            if self._size > _MOST_REMEMBERED:
                self._memories, self._size = {}, 0
            return self._memories.setdefault((tenant, labels_of), {})

    def _encoded(self, columns: SampleColumns, token: Hashable, stamp: LabelKey) -> bytes:
        key = label_key(columns.labels_of(token))
        refusal = label_refusal(key) or self.refusal(key)
        if refusal:
            raise ValueError(refusal)
        return encode_labels(tuple(sorted((*key, *stamp))))


def refusals(
    columns: SampleColumns, bad_series: Mapping[int, str], no_histograms: str | None
) -> dict[int, str]:
    """Return why samples can't be stored, by place."""
    refused = dict.fromkeys(out_of_bounds(columns.timestamps_ms), OUT_OF_BOUNDS)
    if columns.histograms is not None:
        for place, histogram in enumerate(columns.histograms.tolist()):
            reason = histogram and (no_histograms or histogram_refusal(histogram))
            if reason:
                refused[place] = reason
    if bad_series:
        for place in np.flatnonzero(np.isin(columns.owners, list(bad_series))).tolist():
            refused[place] = bad_series[int(columns.owners[place])]
    return refused


def joined(columns: SampleColumns, labels: list[bytes]) -> SampleColumns:
    """Let samples whose tokens mean the same labels have one owner."""
    if len(set(labels)) == len(labels):
        return columns
    firsts: dict[bytes, int] = {}
    places = np.array([firsts.setdefault(label, place) for place, label in enumerate(labels)])
    return replace(columns, owners=places[columns.owners])


def lots_of(
    columns: SampleColumns, labels: list[bytes], refused: dict[int, str], *, keeps_nan: bool
) -> Iterator[Lot]:
    """Cut the samples that are not refused into lots, series after series, times ascending.

    Of samples of one series with one time the first stays; those with another value are added
    to ``refused``. Ordinary NaNs are left out for a backend that does not keep them.
    """
    order = _ordered(columns)
    if not keeps_nan:
        values = columns.values[order]
        order = order[~np.isnan(values) | (values.view(np.uint64) == STALE_NAN_BITS)]
    if refused:
        order = order[~np.isin(order, list(refused))]
    repeated = _repetitions(columns, order)
    if repeated.any():
        bits = columns.values.view(np.uint64)
        for place in np.flatnonzero(repeated).tolist():
            if bits[order[place]] != bits[order[place - 1]]:
                refused[int(order[place])] = DUPLICATE
        order = order[~repeated]
    for first in range(0, len(order), _SAMPLES_PER_LOT):
        yield _lot(columns, labels, order[first : first + _SAMPLES_PER_LOT])


def _ordered(columns: SampleColumns) -> Int64Array:
    if len(columns) > 1 and not (np.diff(columns.owners) > 0).all():
        return np.lexsort((columns.timestamps_ms, columns.owners)).astype(np.int64, copy=False)
    return np.arange(len(columns))


def _repetitions(columns: SampleColumns, order: Int64Array) -> npt.NDArray[np.bool_]:
    repeated = np.zeros(len(order), np.bool_)
    owners, times = columns.owners[order], columns.timestamps_ms[order]
    repeated[1:] = (np.diff(owners) == 0) & (np.diff(times) == 0)
    return repeated


def _lot(columns: SampleColumns, labels: list[bytes], chosen: Int64Array) -> Lot:
    places, counts = np.unique(columns.owners[chosen], return_counts=True)
    times = columns.timestamps_ms[chosen]
    histograms: dict[int, bytes] = {}
    if columns.histograms is not None:
        for place, histogram in enumerate(columns.histograms[chosen].tolist()):
            if histogram is not None:
                histograms[place] = encode_histogram(histogram, int(times[place]))
    return Lot(
        labels=[labels[place] for place in places.tolist()],
        counts=counts.astype(np.int64, copy=False),
        timestamps_ms=times,
        values=columns.values[chosen],
        histograms=histograms,
    )
