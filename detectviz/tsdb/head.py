"""Recent samples of one tenant in memory: what the log holds and no block yet does."""

import numpy as np

from detectviz.tsdb.codec import Batch
from detectviz.tsdb.extras import joined, picked
from detectviz.tsdb.interface import Int64Array
from detectviz.tsdb.segments import Segment, spread

_GROWTH = 4  # a run is merged into its older neighbour unless that is this much larger


class Head:
    """Batches, sorted into runs by series only when someone reads.

    Runs grow geometrically, so every sample is moved a logarithmic number of times. A run is
    never changed, so a tuple of runs stays valid while the head goes on.
    """

    def __init__(self) -> None:
        self._pending: list[Batch] = []
        self._runs: list[Batch] = []

    def add(self, batch: Batch) -> None:
        """Take in a batch."""
        self._pending.append(batch)

    def runs(self) -> tuple[Batch, ...]:
        """Return everything, each run ordered by series, oldest run first."""
        if self._pending:
            newest = _sorted_run(self._pending)
            self._pending = []
            while self._runs and len(self._runs[-1]) < _GROWTH * len(newest):
                newest = _merged(self._runs.pop(), newest)
            self._runs.append(newest)
        return tuple(self._runs)


def run_segment(run: Batch, ids: Int64Array, start_ms: int, end_ms: int) -> Segment:
    """Cut the samples of ``ids`` between two times (both inclusive) out of a run."""
    low = run.series_ids.searchsorted(ids, "left")
    found = run.series_ids.searchsorted(ids, "right") - low
    places = spread(low, found)
    times = run.timestamps_ms[places]
    inside = (times >= start_ms) & (times <= end_ms)
    owners = np.repeat(np.arange(len(ids)), found)[inside]
    return Segment(
        owners=np.arange(len(ids)),
        counts=np.bincount(owners, minlength=len(ids)),
        timestamps_ms=times[inside],
        values=run.values[places[inside]],
        histograms=picked(run.histograms, places[inside]),
        start_times_ms=picked(run.start_times_ms, places[inside]),
    )


def _sorted_run(batches: list[Batch]) -> Batch:
    run = _joined(batches)
    return run.take(np.argsort(run.series_ids, kind="stable"))


def _joined(batches: list[Batch]) -> Batch:
    sizes = [len(batch) for batch in batches]
    return Batch(
        series_ids=np.concatenate([batch.series_ids for batch in batches]),
        timestamps_ms=np.concatenate([batch.timestamps_ms for batch in batches]),
        values=np.concatenate([batch.values for batch in batches]),
        histograms=joined([batch.histograms for batch in batches], sizes, None),
        start_times_ms=joined([batch.start_times_ms for batch in batches], sizes, 0),
    )


def _merged(older: Batch, newer: Batch) -> Batch:
    size = len(older) + len(newer)
    places = older.series_ids.searchsorted(newer.series_ids, "right") + np.arange(len(newer))
    from_older = np.ones(size, np.bool_)
    from_older[places] = False
    order = np.empty(size, np.int64)
    order[from_older] = np.arange(len(older))
    order[places] = np.arange(len(older), size)
    return _joined([older, newer]).take(order)
