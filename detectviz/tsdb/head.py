"""Recent samples of one tenant in memory: what the log holds and no block yet does."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.codec import Batch, join
from detectviz.tsdb.interface import Int64Array
from detectviz.tsdb.optional_columns import Chosen, picked
from detectviz.tsdb.segments import Segment, spread

_LARGE = 1 << 16  # a run of that many samples is left alone
_GROWTH = 4  # a run is merged into its older neighbour unless that is this much larger


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Samples by series, with the log row that each came in."""

    batch: Batch
    seqs: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.batch)

    def take(self, chosen: Chosen) -> "_Run":
        return _Run(batch=self.batch.take(chosen), seqs=self.seqs[chosen])


class Head:
    """Batches, sorted into runs by series only when someone reads.

    Runs grow geometrically up to a size, so every sample is moved a few times and no reader waits
    long. A run is never changed, so a tuple of runs stays valid while the head goes on.
    """

    def __init__(self) -> None:
        self._pending: list[_Run] = []
        self._runs: list[_Run] = []

    def add(self, seq: int, batch: Batch) -> None:
        """Take in the batch of a log row; rows come in order."""
        if len(batch):
            self._pending.append(_Run(batch=batch, seqs=np.full(len(batch), seq, np.uint32)))

    def runs(self) -> tuple[Batch, ...]:
        """Return everything, each run ordered by series, oldest run first."""
        if self._pending:
            newest = _sorted_run(self._pending)
            self._pending = []
            while self._runs and len(self._runs[-1]) < min(_GROWTH * len(newest), _LARGE):
                newest = _merged(self._runs.pop(), newest)
            self._runs.append(newest)
        return tuple(run.batch for run in self._runs)

    def forget(self, until_seq: int) -> None:
        """Drop what came in log rows up to this one."""
        self._pending = [run for run in self._pending if run.seqs[0] > until_seq]
        left = (run.take(np.flatnonzero(run.seqs > until_seq)) for run in self._runs)
        self._runs = [run for run in left if len(run)]


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


def _sorted_run(runs: list[_Run]) -> _Run:
    run = _joined(runs)
    return run.take(np.argsort(run.batch.series_ids, kind="stable"))


def _joined(runs: list[_Run]) -> _Run:
    batches = [run.batch for run in runs]
    return _Run(batch=join(batches), seqs=np.concatenate([run.seqs for run in runs]))


def _merged(older: _Run, newer: _Run) -> _Run:
    size = len(older) + len(newer)
    known, added = older.batch.series_ids, newer.batch.series_ids
    places = known.searchsorted(added, "right") + np.arange(len(newer))
    from_older = np.ones(size, np.bool_)
    from_older[places] = False
    order = np.empty(size, np.int64)
    order[from_older] = np.arange(len(older))
    order[places] = np.arange(len(older), size)
    return _joined([older, newer]).take(order)
