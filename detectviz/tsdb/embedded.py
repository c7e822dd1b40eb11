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
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from detectviz.tsdb.activity import active_count
from detectviz.tsdb.admission import StoredBits
from detectviz.tsdb.appending import Appender
from detectviz.tsdb.blocks import BlockReader, Places, Range
from detectviz.tsdb.cardinality import cardinality_of
from detectviz.tsdb.codec import (
    Batch,
)
from detectviz.tsdb.columns import append_report, columns_of
from detectviz.tsdb.database import Database
from detectviz.tsdb.deletion import delete_from_blocks, delete_from_log, settle
from detectviz.tsdb.head import run_segment
from detectviz.tsdb.index import Selection
from detectviz.tsdb.integrity import Damage
from detectviz.tsdb.interface import (
    AppendReport,
    Cardinality,
    ColumnsReport,
    Int64Array,
    Matcher,
    Sample,
    SampleColumns,
    SelectHints,
    SeriesSet,
    StoreError,
)
from detectviz.tsdb.mirror import Mirror
from detectviz.tsdb.policy import PolicyOf, default_policy
from detectviz.tsdb.repair import RepairReport, repair_file, verify_file
from detectviz.tsdb.rollup_deletion import delete_from_rollups
from detectviz.tsdb.rollup_reading import mark_rolled_up, read_rollups, rollup_plan
from detectviz.tsdb.segments import Columns, Segment, assemble, series_set
from detectviz.tsdb.statistics import StoreStatistics, store_statistics
from detectviz.tsdb.upkeep import Upkeep

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """What one read works on: a selection and where its samples are, in one snapshot."""

    tenant: str
    selection: Selection
    places: Places
    runs: tuple[Batch, ...]


class EmbeddedStore:
    """A ``SeriesStore`` in one file.

    ``policy`` says what each tenant may store and for how long, and is asked at every append;
    ``flush_after_s`` is how old log rows get before ``maintain`` makes blocks of them;
    ``cache_bytes`` bounds the decoded blocks of this process; ``synchronous="FULL"`` also survives
    a power cut, at about a third of the append rate.
    """

    def __init__(
        self,
        path: Path,
        *,
        policy: PolicyOf = default_policy,
        flush_after_s: float = 1800,
        cache_bytes: int = 64 << 20,
        busy_timeout_s: float = 30,
        synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._database = Database(path, busy_timeout_s=busy_timeout_s, synchronous=synchronous)
        self._blocks = BlockReader(cache_bytes=cache_bytes)
        self._mirror = Mirror()
        self._mirror_lock = threading.Lock()  # never held while waiting for another process
        self._appender = Appender(
            database=self._database,
            mirror=self._mirror,
            mirror_lock=self._mirror_lock,
            stored=self._stored_bits,
            policy=policy,
            clock=clock,
        )
        self._upkeep = Upkeep(
            database=self._database,
            mirror=self._mirror,
            mirror_lock=self._mirror_lock,
            append_lock=self._appender.lock,
            policy=policy,
            flush_after_ms=int(flush_after_s * 1000),
        )

    def append(self, tenant: str, samples: Sequence[Sample]) -> AppendReport:
        """Store samples in one transaction; when this returns they survive kill -9.

        Labels and times that no series may have, conflicting duplicates, samples too far out of
        order and new series beyond the tenant's limit are rejected one by one; the rest is stored.

        Raises:
            StoreError: nothing was stored.

        """
        return append_report(samples, self.append_columns(tenant, columns_of(samples)))

    def append_columns(self, tenant: str, columns: SampleColumns) -> ColumnsReport:
        """Store columns in one transaction; ``append`` says what may be refused.

        Raises:
            StoreError: nothing was stored.

        """
        return self._appender.append(tenant, columns)

    def select(
        self,
        tenant: str,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        hints: SelectHints | None = None,
    ) -> SeriesSet:
        """Return samples with ``start_ms <= t <= end_ms`` of all matching series.

        Series without a sample in the range are left out. Rollups answer when ``hints`` allow
        (``rollups.choose``); to an instant selector also with samples up to one resolution older.
        """
        within = Range.between(start_ms, end_ms)
        with self._reading() as connection:
            view = self._view(connection, tenant, matchers)
            plan = rollup_plan(connection, tenant, view.places, hints, within)
            watch = hints.watch if hints else None
            columns = self._collect(connection, view, plan.raw if plan else within, watch=watch)
            if plan and columns.histograms is not None:
                plan, columns = None, self._collect(connection, view, within, watch=watch)
            if plan:
                columns = read_rollups(connection, tenant, view.places, plan, columns)
        return series_set(
            view.selection, columns, resolution_ms=plan.choice.resolution_ms if plan else 0
        )

    def series(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Return the label sets of matching series that have samples in the range, ordered."""
        within = Range.between(start_ms, end_ms)
        with self._reading() as connection:
            view = self._view(connection, tenant, matchers)
            alive = np.zeros(len(view.selection.ids), np.bool_)
            for segment in _head_segments(view, within):
                alive[segment.owners[segment.counts > 0]] = True
            self._blocks.mark_alive(connection, tenant, view.places, within, alive)
            mark_rolled_up(connection, tenant, view.places, within, alive)
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

    def delete(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> int:
        """Delete samples with ``start_ms <= t <= end_ms``; return how many series lost some.

        Waits for a running compaction. If it fails half-way, what is gone is gone and the rest is
        untouched: call it again.
        """
        within = Range.between(start_ms, end_ms)
        with self._database.claimed("compact", wait=True):
            with self._database.reading() as connection:
                view = self._view(connection, tenant, matchers)
            lost = delete_from_blocks(self._database, tenant, view.places, within)
            rolled = delete_from_rollups(self._database, tenant, view.places, within)
            with self._appender.lock, self._database.writing() as connection:
                now = self._view(connection, tenant, matchers)
                ids = now.selection.ids
                logged = delete_from_log(connection, tenant, ids, within)
                lost_ids = view.selection.ids[lost | rolled]
                touched = np.isin(ids, logged) | np.isin(ids, lost_ids)
                if touched.any():
                    settle(connection, tenant, ids[touched], now.places.take(touched), within)
            self._upkeep.renew_rollups(tenant)
        return int(touched.sum())

    def cardinality(self, tenant: str, limit: int) -> Cardinality:
        """Return what the tenant's series are made of, ``limit`` entries per list."""
        with self._database.reading() as connection:
            with self._mirror_lock:
                self._mirror.sync(connection)
                self._mirror.follow_tails(connection)
                index = self._mirror.index(tenant)
                counts, series = index.counts(), len(index)
                now_ms = int(self._clock() * 1000)
                active = active_count(connection, self._mirror, tenant, now_ms)
                runs = self._mirror.runs(tenant)
            oldest_ms, newest_ms = connection.execute(
                "SELECT MIN(min_ms), MAX(max_ms) FROM block WHERE tenant = ?", (tenant,)
            ).fetchone()
        times = [at for at in (oldest_ms, newest_ms) if at is not None]
        times += [int(run.timestamps_ms.min()) for run in runs]
        times += [int(run.timestamps_ms.max()) for run in runs]
        return cardinality_of(
            counts,
            series=series,
            active=active,
            limit=limit,
            oldest_ms=min(times, default=None),
            newest_ms=max(times, default=None),
        )

    def statistics(self) -> StoreStatistics:
        """Return how large the store is, over all tenants."""
        with self._database.reading() as connection:
            return store_statistics(connection, self._database.path)

    def check(self) -> None:
        """Raise StoreError unless a row can be written and read now."""
        with self._database.writing() as connection:
            connection.execute("UPDATE state SET epoch = epoch")
        with self._database.reading() as connection:
            connection.execute("SELECT COUNT(*) FROM (SELECT 1 FROM block LIMIT 1)").fetchone()

    def verify(self) -> tuple[Damage, ...]:
        """Name every damage, reading the whole file; an empty answer means that all is well."""
        return verify_file(self._database.path)

    def repair(self, now_ms: int) -> RepairReport:
        """Set damaged rows aside and build indexes anew; everything else stays.

        Raises:
            StoreError: nothing can be read from the file at all.

        """
        return repair_file(self._database.path, now_ms=now_ms)

    def snapshot(self, path: Path) -> None:
        """Write a consistent copy to a new file; appends go on meanwhile.

        Raises:
            StoreError: the file is there already, or can't be written.

        """
        if path.exists():
            raise StoreError(f"{path} exists: name a new file", retryable=False)
        self._database.snapshot(path)

    def maintain(self, now_ms: int) -> None:
        """Compact and drop what is past retention.

        Call it every few seconds from one place; where several processes do, one works and the
        others return at once.
        """
        with self._database.claimed("compact") as mine:
            if mine:
                self._upkeep.run(now_ms)

    def close(self) -> None:
        """Release the file. Appended samples are durable already."""
        self._database.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Read one snapshot; what SQLite passes on from a damaged page becomes a StoreError."""
        try:
            with self._database.reading() as connection:
                yield connection
        except (TypeError, ValueError, IndexError, KeyError, OverflowError, MemoryError) as error:
            raise StoreError(
                f"the series database is damaged ({error!r}): run detectviz series verify",
                retryable=False,
            ) from error

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

    def _collect(
        self,
        connection: sqlite3.Connection,
        view: _View,
        within: Range,
        *,
        skip_damaged: bool = False,
        watch: Callable[[int, int], None] | None = None,
    ) -> Columns:
        found = self._blocks.segments(
            connection, view.tenant, view.places, within, skip_damaged=skip_damaged
        )
        segments = list(found if watch is None else _watched(found, view, watch))
        segments += _head_segments(view, within)
        return assemble(len(view.selection.ids), segments)

    def _stored_bits(
        self,
        connection: sqlite3.Connection,
        tenant: str,
        series_ids: Int64Array,
        timestamps_ms: Int64Array,
    ) -> StoredBits:
        ids = np.unique(series_ids)
        view = self._view_of(tenant, Selection(ids=ids, labels=()))
        within = Range.between(int(timestamps_ms.min()), int(timestamps_ms.max()))
        columns = self._collect(connection, view, within, skip_damaged=True)
        owners = np.repeat(ids, np.diff(columns.offsets))
        wanted = np.isin(columns.timestamps_ms, timestamps_ms)
        keys = zip(owners[wanted].tolist(), columns.timestamps_ms[wanted].tolist(), strict=True)
        bits = columns.values[wanted].view(np.uint64).tolist()
        return dict(zip(keys, bits, strict=True))


def _watched(
    segments: Iterable[Segment], view: _View, watch: Callable[[int, int], None]
) -> Iterator[Segment]:
    series, samples = len(view.selection.ids), 0
    watch(series, 0)
    for segment in segments:
        samples += int(segment.counts.sum())
        watch(series, samples)
        yield segment


def _head_segments(view: _View, within: Range) -> list[Segment]:
    ids = view.selection.ids
    return [run_segment(run, ids, within.start_ms, within.end_ms) for run in view.runs]
