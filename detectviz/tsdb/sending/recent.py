"""What reads see of the queue: samples that the backend can't be relied on to show yet."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from detectviz.tsdb.index import Selection, TenantIndex
from detectviz.tsdb.interface import (
    Float64Array,
    HistogramArray,
    Int64Array,
    Matcher,
    SeriesSet,
    StoreError,
)
from detectviz.tsdb.labels import TENANT_LABEL
from detectviz.tsdb.matching import compile_matcher
from detectviz.tsdb.remote_histograms import decode_histogram
from detectviz.tsdb.segments import spread
from detectviz.tsdb.sending.file import QueueFile, StoredLot
from detectviz.tsdb.sending.lots import DamagedLotError, decode_lot, labels_of

logger = logging.getLogger(__name__)

_MOST_BYTES = 256 << 20
_MOST_SERIES = 500_000
_EMPTY = SeriesSet(
    labels=(),
    offsets=np.zeros(1, np.int64),
    timestamps_ms=np.empty(0, np.int64),
    values=np.empty(0, np.float64),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """One lot by series ids, ascending; ``offsets`` as in ``SeriesSet``."""

    ids: Int64Array
    offsets: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    histograms: Mapping[int, bytes]
    min_ms: int
    max_ms: int


@dataclass(slots=True)
class _Tenant:
    index: TenantIndex = field(default_factory=TenantIndex)
    ids: dict[bytes, int] = field(default_factory=dict)
    lots: dict[int, _Loaded] = field(default_factory=dict)

    def take(self, stored: StoredLot) -> None:
        lot = decode_lot(stored.data)
        ids = np.array([self._id(label) for label in lot.labels], np.int64)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lot.counts)])
        histograms = lot.histograms
        times, values = lot.timestamps_ms, lot.values
        order = np.argsort(ids, kind="stable")
        if len(ids) > 1 and not (np.diff(ids) > 0).all():
            places = spread(offsets[:-1][order], lot.counts[order])
            times, values = times[places], values[places]
            back = {int(old): new for new, old in enumerate(places.tolist())} if histograms else {}
            histograms = {back[place]: one for place, one in histograms.items()}
            offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lot.counts[order])])
            ids = ids[order]
        self.lots[stored.seq] = _Loaded(
            ids=ids,
            offsets=offsets,
            timestamps_ms=times,
            values=values,
            histograms=histograms,
            min_ms=int(times.min()),
            max_ms=int(times.max()),
        )

    def _id(self, label: bytes) -> int:
        found = self.ids.get(label)
        if found is None:
            found = self.ids[label] = len(self.ids) + 1
            self.index.add(found, labels_of(label))
        return found


class Recent:
    """Reads the lots in the queue's file, remembering by tenant what it has read."""

    def __init__(self, file: QueueFile) -> None:
        self._file = file
        self._tenants: dict[str, _Tenant] = {}
        self._lock = threading.Lock()

    def select(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> SeriesSet:
        """Return samples as the backend would, of what is in the queue now.

        Raises:
            StoreError: more waits than may be merged (retryable).

        """
        own = [matcher for matcher in matchers if matcher.name != TENANT_LABEL]
        foreign = [matcher for matcher in matchers if matcher.name == TENANT_LABEL]
        if not all(compile_matcher(matcher).matches("") for matcher in foreign):
            return _EMPTY
        with self._lock:
            kept = self._synced(tenant)
            lots = [
                lot for lot in kept.lots.values() if lot.max_ms >= start_ms and lot.min_ms <= end_ms
            ]
            selection = kept.index.select(own) if lots else None
        if selection is None or not len(selection.ids):
            return _EMPTY
        return _gathered(lots, selection, start_ms, end_ms)

    def _synced(self, tenant: str) -> _Tenant:
        kept = self._tenants.setdefault(tenant, _Tenant())
        if len(kept.ids) > _MOST_SERIES:
            kept = self._tenants[tenant] = _Tenant()
        if self._file.kept_bytes(tenant) > _MOST_BYTES:
            raise StoreError(
                "too many samples wait for the backend to be merged into an answer: ask again"
                " when they have been sent",
                retryable=True,
            )
        seqs, fresh = self._file.present(tenant, known=kept.lots.keys())
        for gone in kept.lots.keys() - seqs:
            del kept.lots[gone]
        for stored in fresh:
            try:
                kept.take(stored)
            except (DamagedLotError, ValueError) as error:
                logger.error("a damaged lot of the queue is left out: %s", error)  # noqa: TRY400 - the sentence says it all
        return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Samples of one lot: ``owners`` are places of series in the selection."""

    owners: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    histograms: HistogramArray | None


def _gathered(
    lots: Sequence[_Loaded], selection: Selection, start_ms: int, end_ms: int
) -> SeriesSet:
    pieces = [_cut(lot, selection.ids, start_ms, end_ms) for lot in lots]
    owners = np.concatenate([piece.owners for piece in pieces])
    times = np.concatenate([piece.timestamps_ms for piece in pieces])
    order = np.lexsort((times, owners))  # stable: of equals the one queued first stays
    owners, times = owners[order], times[order]
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (np.diff(times) != 0) | (np.diff(owners) != 0)
    chosen = order[fresh]
    counts = np.bincount(owners[fresh], minlength=len(selection.ids))
    filled = np.flatnonzero(counts)
    return SeriesSet(
        labels=selection.take(filled).labels,
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts[filled])]),
        timestamps_ms=times[fresh],
        values=np.concatenate([piece.values for piece in pieces])[chosen],
        histograms=_all_histograms(pieces, chosen),
    )


def _cut(lot: _Loaded, ids: Int64Array, start_ms: int, end_ms: int) -> _Piece:
    places = np.minimum(lot.ids.searchsorted(ids), len(lot.ids) - 1)
    chosen = np.flatnonzero(lot.ids[places] == ids)
    starts = lot.offsets[places[chosen]]
    counts = lot.offsets[places[chosen] + 1] - starts
    rows = spread(starts, counts)
    owners = np.repeat(chosen, counts)
    times = lot.timestamps_ms[rows]
    if lot.min_ms < start_ms or lot.max_ms > end_ms:
        inside = (times >= start_ms) & (times <= end_ms)
        rows, owners, times = rows[inside], owners[inside], times[inside]
    values = lot.values[rows]
    histograms = None
    if lot.histograms:
        histograms = np.full(len(rows), None, np.object_)
        for place, row in enumerate(rows.tolist()):
            if row in lot.histograms:
                histograms[place] = decode_histogram(lot.histograms[row])[1]
                values[place] = np.nan
    return _Piece(owners=owners, timestamps_ms=times, values=values, histograms=histograms)


def _all_histograms(pieces: Sequence[_Piece], chosen: Int64Array) -> HistogramArray | None:
    if all(piece.histograms is None for piece in pieces):
        return None
    whole = [
        np.full(len(piece.owners), None, np.object_)
        if piece.histograms is None
        else piece.histograms
        for piece in pieces
    ]
    found = np.concatenate(whole)[chosen]
    return found if any(one is not None for one in found.tolist()) else None
