"""Which samples of a batch may be stored: Prometheus' rules for duplicates and order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.codec import Batch
from detectviz.tsdb.interface import Int64Array

DUPLICATE = "duplicate sample for timestamp"
TOO_OLD = "too old sample"
OUT_OF_ORDER = "out of order sample"

StoredBits: TypeAlias = dict[tuple[int, int], int]  # (series id, ms) -> the double's bits
Lookup: TypeAlias = Callable[[Int64Array, Int64Array], StoredBits]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``stored`` marks what to write; ``refused`` gives a reason by place in the batch.

    What is in neither repeats a stored sample.
    """

    stored: npt.NDArray[np.bool_]
    refused: dict[int, str]


def judge(
    batch: Batch,
    *,
    tail_ms: Int64Array,
    tail_bits: npt.NDArray[np.uint64],
    window_ms: int,
    lookup: Lookup,
) -> Verdict:
    """Decide on every sample as if they came one by one.

    ``tail_ms`` and ``tail_bits`` are the newest stored sample of each sample's series, parallel to
    the batch. ``lookup`` returns stored samples of the given series at the given times.
    """
    stored = _uncontested(batch, batch.timestamps_ms > tail_ms)
    contested = np.flatnonzero(~stored)
    if not len(contested):
        return Verdict(stored=stored, refused={})
    referee = _Referee(window_ms)
    late = contested[
        (batch.timestamps_ms[contested] < tail_ms[contested])
        & (batch.timestamps_ms[contested] >= tail_ms[contested] - window_ms)
    ]
    if len(late):
        referee.known = lookup(batch.series_ids[late], batch.timestamps_ms[late])
    bits = batch.values.view(np.uint64)
    refused: dict[int, str] = {}
    for index in contested.tolist():
        series_id, moment = int(batch.series_ids[index]), int(batch.timestamps_ms[index])
        referee.start(series_id, int(tail_ms[index]), int(tail_bits[index]))
        reason = referee.decide(series_id, moment, int(bits[index]))
        if reason is None:
            stored[index] = True
        elif reason:
            refused[index] = reason
    return Verdict(stored=stored, refused=refused)


def _uncontested(batch: Batch, newer: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Mark the samples of series whose samples all ascend from their newest stored one on."""
    if (np.diff(batch.series_ids) > 0).all():
        return newer
    order = np.argsort(batch.series_ids, kind="stable")
    ids, times = batch.series_ids[order], batch.timestamps_ms[order]
    is_next = np.zeros(len(order), np.bool_)
    is_next[1:] = ids[1:] == ids[:-1]
    rises = newer[order]
    rises[1:] &= ~is_next[1:] | (times[1:] > times[:-1])
    series = np.cumsum(~is_next) - 1
    stored = np.empty(len(order), np.bool_)
    stored[order] = (np.bincount(series, ~rises) == 0)[series]
    return stored


class _Referee:
    """Follows the newest sample of each contested series through the batch."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._newest: dict[int, int] = {}
        self.known: StoredBits = {}

    def start(self, series_id: int, tail_ms: int, tail_bits: int) -> None:
        if series_id not in self._newest:
            self._newest[series_id] = tail_ms
            self.known[series_id, tail_ms] = tail_bits

    def decide(self, series_id: int, moment: int, bits: int) -> str | None:
        """Return None to store, an empty string for a repetition, else why not."""
        newest = self._newest[series_id]
        if moment < newest - self._window_ms:
            return TOO_OLD if self._window_ms else OUT_OF_ORDER
        known = self.known.get((series_id, moment))
        if known is not None:
            return "" if known == bits else DUPLICATE
        self._newest[series_id] = max(newest, moment)
        self.known[series_id, moment] = bits
        return None
