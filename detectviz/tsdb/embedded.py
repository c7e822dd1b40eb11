"""The embedded store: one SQLite file that any number of processes read and write.

An append is one short transaction that adds one log row (and rows for series not seen before).
``maintain`` turns log rows into compressed blocks. Readers see blocks and log rows of one
snapshot; what a process keeps in memory is derived from committed rows only.

Threads: every call is safe from any thread. Appends of one process queue on a lock; reads run in
parallel except while they bring the shared index up to date. Processes: open the store after
``fork``; a child that inherits an open one gets connections of its own.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from detectviz.tsdb.admission import StoredBits, Verdict, judge
from detectviz.tsdb.blocks import BlockReader, Places, Range
from detectviz.tsdb.codec import (
    MAX_ROWS,
    Batch,
    CorruptError,
    decode_block,
    decode_log,
    encode_log,
)
from detectviz.tsdb.compaction import Compactor
from detectviz.tsdb.database import Database
from detectviz.tsdb.head import run_segment
from detectviz.tsdb.index import Selection
from detectviz.tsdb.interface import (
    METRIC_NAME,
    AppendReport,
    Int64Array,
    Matcher,
    Rejection,
    Sample,
    SeriesSet,
    StoreError,
)
from detectviz.tsdb.labels import LabelKey, label_key, label_refusal, timestamp_refusal
from detectviz.tsdb.mirror import NEVER_MS, Mirror, dump_labels
from detectviz.tsdb.segments import Columns, Segment, assemble, series_set

logger = logging.getLogger(__name__)

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """What one read works on: a selection and where its samples are, in one snapshot."""

    tenant: str
    selection: Selection
    places: Places
    runs: tuple[Batch, ...]


class EmbeddedStore:
    """A ``SeriesStore`` in one file.

    ``retention_s`` is how long blocks are kept; ``out_of_order_s`` how much older than the newest
    sample of its series a sample may be; ``flush_after_s`` how old log rows get before
    ``maintain`` makes blocks of them; ``cache_bytes`` bounds the decoded blocks of this process;
    ``synchronous="FULL"`` also survives a power cut, at about a third of the append rate.
    """

    def __init__(
        self,
        path: Path,
        *,
        retention_s: float = 15 * DAY_S,
        out_of_order_s: float = 3600,
        flush_after_s: float = 1800,
        cache_bytes: int = 64 << 20,
        busy_timeout_s: float = 30,
        synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
    ) -> None:
        self._retention_ms = int(retention_s * 1000)
        self._window_ms = int(out_of_order_s * 1000)
        self._database = Database(path, busy_timeout_s=busy_timeout_s, synchronous=synchronous)
        self._compactor = Compactor(self._database, flush_after_ms=int(flush_after_s * 1000))
        self._blocks = BlockReader(cache_bytes=cache_bytes)
        self._mirror = Mirror()
        self._mirror_lock = threading.Lock()  # never held while waiting for another process
        self._append_lock = threading.Lock()

    def append(self, tenant: str, samples: Sequence[Sample]) -> AppendReport:
        """Store samples in one transaction; when this returns they survive kill -9.

        Labels and times that no series may have, conflicting duplicates and samples too far out
        of order are rejected one by one; the rest is stored.

        Raises:
            StoreError: nothing was stored.

        """
        if not samples:
            return AppendReport(stored=0)
        with self._append_lock, self._database.writing() as connection:
            with self._mirror_lock:
                self._mirror.sync(connection)
                accepted, refused = self._resolve(connection, tenant, samples)
                batch = accepted.batch(samples)
                verdict = self._judge(connection, tenant, batch)
                seq = self._mirror.seen_seq + 1
            _insert_log(connection, seq, tenant, batch, verdict)
        for place, reason in verdict.refused.items():
            refused[accepted.places[place]] = reason
        rejected = tuple(Rejection(samples[at], refused[at]) for at in sorted(refused))
        return AppendReport(stored=len(samples) - len(rejected), rejected=rejected)

    def select(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> SeriesSet:
        """Return raw samples with ``start_ms <= t <= end_ms`` of all matching series.

        Series without a sample in the range are left out.
        """
        with self._database.reading() as connection:
            view = self._view(connection, tenant, matchers)
            columns = self._collect(connection, view, Range(start_ms=start_ms, end_ms=end_ms))
        return series_set(view.selection, columns)

    def series(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Return the label sets of matching series that have samples in the range, ordered."""
        within = Range(start_ms=start_ms, end_ms=end_ms)
        with self._database.reading() as connection:
            view = self._view(connection, tenant, matchers)
            alive = np.zeros(len(view.selection.ids), np.bool_)
            for segment in _head_segments(view, within):
                alive[segment.owners[segment.counts > 0]] = True
            self._blocks.mark_alive(connection, tenant, view.places, within, alive)
        return view.selection.take(np.flatnonzero(alive)).labels

    def label_names(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted label names of matching series with samples in the range."""
        found = self.series(tenant, matchers, start_ms, end_ms)
        return tuple(sorted({name for labels in found for name in labels}))

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted values of one label over matching series with samples in the range."""
        found = self.series(tenant, matchers, start_ms, end_ms)
        return tuple(sorted({labels[name] for labels in found if name in labels}))

    def check(self) -> None:
        """Raise StoreError unless a row can be written and read now."""
        with self._database.writing() as connection:
            connection.execute("UPDATE state SET epoch = epoch")
        with self._database.reading() as connection:
            connection.execute("SELECT COUNT(*) FROM (SELECT 1 FROM block LIMIT 1)").fetchone()

    def verify(self) -> None:
        """Read everything and raise StoreError naming each damaged block and log row."""
        with self._database.reading() as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            damaged = [] if answer == "ok" else [str(answer)]
            damaged += _damaged_rows(connection)
        if damaged:
            raise StoreError("; ".join(damaged), retryable=False)

    def maintain(self, now_ms: int) -> None:
        """Compact and drop what is past retention.

        Call it every few seconds from one place; where several processes do, one works and the
        others return at once.
        """
        with self._database.claimed("compact") as mine:
            if mine:
                self._compactor.run(now_ms)
                self._expire(now_ms - self._retention_ms)
                self._database.checkpoint()

    def close(self) -> None:
        """Release the file. Appended samples are durable already."""
        self._database.close()

    def _view(
        self, connection: sqlite3.Connection, tenant: str, matchers: Sequence[Matcher]
    ) -> _View:
        with self._mirror_lock:
            # The snapshot begins here, so what threads learn is ever newer.
            self._mirror.sync(connection)
            selection = self._mirror.index(tenant).select(matchers)
            return self._view_of(tenant, selection)

    def _view_of(self, tenant: str, selection: Selection) -> _View:
        ids = selection.ids
        return _View(
            tenant=tenant,
            selection=selection,
            places=Places(part=self._mirror.part[ids], row=self._mirror.row[ids]),
            runs=self._mirror.runs(tenant),
        )

    def _collect(self, connection: sqlite3.Connection, view: _View, within: Range) -> Columns:
        segments = list(self._blocks.segments(connection, view.tenant, view.places, within))
        segments += _head_segments(view, within)
        return assemble(len(view.selection.ids), segments)

    def _resolve(
        self, connection: sqlite3.Connection, tenant: str, samples: Sequence[Sample]
    ) -> "tuple[_Accepted, dict[int, str]]":
        find = self._mirror.index(tenant).find
        newcomers = _Newcomers(connection, tenant)
        accepted = _Accepted(places=[], ids=[])
        refused: dict[int, str] = {}
        for place, sample in enumerate(samples):
            reason = timestamp_refusal(sample.timestamp_ms)
            series_id = None if reason else find(sample.labels)
            if series_id is None and not reason:
                key = label_key(sample.labels)
                reason = label_refusal(key)
                series_id = None if reason else newcomers.add(key)
            if reason:
                refused[place] = reason
            elif series_id is not None:
                accepted.places.append(place)
                accepted.ids.append(series_id)
        return accepted, refused

    def _judge(self, connection: sqlite3.Connection, tenant: str, batch: Batch) -> Verdict:
        known = batch.series_ids < len(self._mirror.tail_ms)
        tail_ms = np.full(len(batch), NEVER_MS, np.int64)
        tail_bits = np.zeros(len(batch), np.uint64)
        tail_ms[known] = self._mirror.tail_ms[batch.series_ids[known]]
        tail_bits[known] = self._mirror.tail_bits[batch.series_ids[known]]

        def lookup(series_ids: Int64Array, timestamps_ms: Int64Array) -> StoredBits:
            return self._stored_bits(connection, tenant, series_ids, timestamps_ms)

        return judge(
            batch,
            tail_ms=tail_ms,
            tail_bits=tail_bits,
            window_ms=self._window_ms,
            lookup=lookup,
        )

    def _stored_bits(
        self,
        connection: sqlite3.Connection,
        tenant: str,
        series_ids: Int64Array,
        timestamps_ms: Int64Array,
    ) -> StoredBits:
        ids = np.unique(series_ids)
        view = self._view_of(tenant, Selection(ids=ids, labels=()))
        within = Range(start_ms=int(timestamps_ms.min()), end_ms=int(timestamps_ms.max()))
        columns = self._collect(connection, view, within)
        owners = np.repeat(ids, np.diff(columns.offsets))
        wanted = np.isin(columns.timestamps_ms, timestamps_ms)
        keys = zip(owners[wanted].tolist(), columns.timestamps_ms[wanted].tolist(), strict=True)
        bits = columns.values[wanted].view(np.uint64).tolist()
        return dict(zip(keys, bits, strict=True))

    def _expire(self, cutoff_ms: int) -> None:
        with self._database.reading() as connection:
            (old,) = connection.execute(
                "SELECT EXISTS (SELECT 1 FROM block WHERE max_ms < ?)", (cutoff_ms,)
            ).fetchone()
        if not old:
            return
        with self._append_lock, self._database.writing() as connection:
            with self._mirror_lock:
                self._mirror.sync(connection)
                tail_ms = self._mirror.tail_ms
                quiet = np.flatnonzero((tail_ms < cutoff_ms) & (tail_ms != NEVER_MS))
                dead = np.setdiff1d(quiet, self._mirror.logged_ids()).tolist()
            connection.execute("DELETE FROM block WHERE max_ms < ?", (cutoff_ms,))
            _delete_series(connection, dead)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Accepted:
    """Places of the samples whose labels and time are allowed, and their series."""

    places: list[int]
    ids: list[int]

    def batch(self, samples: Sequence[Sample]) -> Batch:
        size = len(self.places)
        chosen = samples if size == len(samples) else [samples[at] for at in self.places]
        return Batch(
            series_ids=np.array(self.ids, np.int64),
            timestamps_ms=np.fromiter((s.timestamp_ms for s in chosen), np.int64, size),
            values=np.fromiter((s.value for s in chosen), np.float64, size),
        )


class _Newcomers:
    """Series first seen in this append: rows of the running transaction, unknown to the index."""

    def __init__(self, connection: sqlite3.Connection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant
        self._ids: dict[LabelKey, int] = {}

    def add(self, key: LabelKey) -> int:
        series_id = self._ids.get(key)
        if series_id is None:
            part, row = self._place(dict(key)[METRIC_NAME])
            cursor = self._connection.execute(
                "INSERT INTO series (tenant, labels, part, row) VALUES (?, ?, ?, ?) RETURNING id",
                (self._tenant, dump_labels(key), part, row),
            )
            (series_id,) = cursor.fetchone()
            self._ids[key] = series_id
        return int(series_id)

    def _place(self, metric: str) -> tuple[int, int]:
        found = self._connection.execute(
            "SELECT id, size FROM part WHERE tenant = ? AND metric = ? ORDER BY id DESC LIMIT 1",
            (self._tenant, metric),
        ).fetchone()
        if found is None or found[1] == MAX_ROWS:
            cursor = self._connection.execute(
                "INSERT INTO part (tenant, metric, size) VALUES (?, ?, 1) RETURNING id",
                (self._tenant, metric),
            )
            return int(cursor.fetchone()[0]), 0
        self._connection.execute("UPDATE part SET size = size + 1 WHERE id = ?", (found[0],))
        return int(found[0]), int(found[1])


def _head_segments(view: _View, within: Range) -> list[Segment]:
    ids = view.selection.ids
    return [run_segment(run, ids, within.start_ms, within.end_ms) for run in view.runs]


def _insert_log(
    connection: sqlite3.Connection, seq: int, tenant: str, batch: Batch, verdict: Verdict
) -> None:
    chosen = verdict.stored
    if not chosen.any():
        return
    stored = Batch(
        series_ids=batch.series_ids[chosen],
        timestamps_ms=batch.timestamps_ms[chosen],
        values=batch.values[chosen],
    )
    connection.execute(
        "INSERT INTO log (seq, tenant, samples, max_ms, data) VALUES (?, ?, ?, ?, ?)",
        (seq, tenant, len(stored), int(stored.timestamps_ms.max()), encode_log(stored)),
    )


def _delete_series(connection: sqlite3.Connection, dead: list[int]) -> None:
    if not dead:
        return
    rows = [(series_id,) for series_id in dead]
    connection.executemany("DELETE FROM series WHERE id = ?", rows)
    connection.executemany("DELETE FROM tail WHERE series = ?", rows)
    connection.execute(
        "DELETE FROM part WHERE NOT EXISTS (SELECT 1 FROM series WHERE series.part = part.id)"
        " AND NOT EXISTS (SELECT 1 FROM block"
        " WHERE block.tenant = part.tenant AND block.part = part.id)"
    )
    connection.execute("UPDATE state SET epoch = epoch + 1")


def _damaged_rows(connection: sqlite3.Connection) -> Iterator[str]:
    for block_id, data in connection.execute("SELECT id, data FROM block"):
        try:
            decode_block(data)
        except CorruptError as error:
            yield f"block {block_id}: {error}"
    for seq, data in connection.execute("SELECT seq, data FROM log"):
        try:
            decode_log(data)
        except CorruptError as error:
            yield f"log row {seq}: {error}"
