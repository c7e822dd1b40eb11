"""Making rollups of blocks: a step of ``maintain``, under the compaction lock.

``rolled`` says up to when a tenant's rollups are whole. A step makes the buckets of the next
stretch part by part, replacing what is there, and then moves that time on; so a crash costs only
work. It stays behind the newest samples by the out-of-order window, and what comes later still
is noted in ``rollup_late`` in the transaction that made a block of it.
"""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.codec import Block, CorruptError, decode_block
from detectviz.tsdb.compaction import (
    DAMAGED_LEVEL,
    FAN_IN,
    TOP_LEVEL,
    NewBlock,
    Samples,
    encoded,
    flattened,
)
from detectviz.tsdb.database import Database
from detectviz.tsdb.interface import Float64Array, Int64Array
from detectviz.tsdb.mirror import NEVER_MS
from detectviz.tsdb.optional_columns import is_histogram
from detectviz.tsdb.rollup_state import note_histograms, rolled_until
from detectviz.tsdb.rollups import COARSE_MS, FINE_MS, Aggregate, bucket_end, roll_up

logger = logging.getLogger(__name__)

STRIDE_MS = {FINE_MS: 24 * FINE_MS, COARSE_MS: 6 * COARSE_MS}  # so long before it is worth a step
_SLICE_MS = 86_400_000  # so much raw time in memory at once, of one part
_PARTS_PER_TRANSACTION = 16
_MERGES_PER_PASS = 16

_Column: TypeAlias = tuple[Int64Array, Int64Array, Float64Array]  # rows, times, values


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    """One column of some buckets of one part, as it is stored."""

    aggregate: Aggregate
    block: NewBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class _Renewal:
    replaced: list[int]
    chunks: list[_Chunk]
    damaged: list[int] = field(default_factory=list)
    histogram_parts: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Buckets that end after ``after_ms`` and not after ``until_ms``; both are ends of buckets."""

    after_ms: int
    until_ms: int

    def slices(self) -> Iterator["_Stretch"]:
        for start_ms in range(self.after_ms, self.until_ms, _SLICE_MS):
            yield _Stretch(after_ms=start_ms, until_ms=min(self.until_ms, start_ms + _SLICE_MS))

    def holds(self, timestamps_ms: Int64Array) -> npt.NDArray[np.bool_]:
        return (timestamps_ms > self.after_ms) & (timestamps_ms <= self.until_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupMaker:
    """Makes one tenant's rollups of one resolution; raw samples are whole from ``raw_from_ms``."""

    database: Database
    tenant: str
    resolution_ms: int
    raw_from_ms: int | None

    def run(self, until_ms: int) -> None:
        """Roll up what is not yet, up to ``until_ms`` at most, and what came late."""
        self.renew_late()
        while self._step(until_ms - until_ms % STRIDE_MS[self.resolution_ms]):
            pass
        while self._merge_pass():
            pass

    def _step(self, until_ms: int) -> bool:
        with self.database.reading() as connection:
            rolled_ms = rolled_until(connection, self.tenant, self.resolution_ms)
            if rolled_ms is not None and rolled_ms >= until_ms:
                return False
            after_ms = self._next(connection, NEVER_MS if rolled_ms is None else rolled_ms)
        if after_ms is None or after_ms >= until_ms:
            return False
        stretch = next(_Stretch(after_ms=after_ms, until_ms=until_ms).slices())
        self._renew(self._parts(stretch), stretch)
        with self.database.writing() as connection:
            connection.execute(
                "INSERT INTO rolled VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
                " SET until_ms = excluded.until_ms",
                (self.tenant, self.resolution_ms, stretch.until_ms),
            )
        return stretch.until_ms < until_ms

    def _next(self, connection: sqlite3.Connection, after_ms: int) -> int | None:
        """Return where the next bucket with raw samples begins."""
        (min_ms,) = connection.execute(
            "SELECT MIN(min_ms) FROM block WHERE tenant = ? AND max_ms > ?", (self.tenant, after_ms)
        ).fetchone()
        return None if min_ms is None else max(after_ms, self._before(min_ms))

    def _before(self, timestamp_ms: int) -> int:
        """Return where a time's bucket begins, but not before raw samples are whole."""
        begin_ms = bucket_end(timestamp_ms, self.resolution_ms) - self.resolution_ms
        if self.raw_from_ms is None:
            return begin_ms
        return max(begin_ms, bucket_end(self.raw_from_ms, self.resolution_ms))

    def renew_late(self) -> None:
        """Roll up again what was changed after it was rolled up."""
        with self.database.reading() as connection:
            until_ms = rolled_until(connection, self.tenant, self.resolution_ms)
            late = connection.execute(
                "SELECT part, from_ms FROM rollup_late WHERE resolution_ms = ?"
                " AND part IN (SELECT id FROM part WHERE tenant = ?)",
                (self.resolution_ms, self.tenant),
            ).fetchall()
        for part, from_ms in late:
            if until_ms is not None:
                whole = _Stretch(after_ms=self._before(from_ms), until_ms=until_ms)
                for stretch in whole.slices():
                    self._renew([part], stretch)
            with self.database.writing() as connection:
                connection.execute(
                    "DELETE FROM rollup_late WHERE part = ? AND resolution_ms = ?",
                    (part, self.resolution_ms),
                )

    def _parts(self, stretch: _Stretch) -> list[int]:
        with self.database.reading() as connection:
            found = connection.execute(
                "SELECT DISTINCT part FROM block WHERE tenant = ? AND max_ms > ? AND min_ms <= ?",
                (self.tenant, stretch.after_ms, stretch.until_ms),
            ).fetchall()
        return [part for (part,) in found]

    def _renew(self, parts: Sequence[int], stretch: _Stretch) -> None:
        for first in range(0, len(parts), _PARTS_PER_TRANSACTION):
            chosen = parts[first : first + _PARTS_PER_TRANSACTION]
            with self.database.reading() as connection:
                renewals = [self._renewal(connection, part, stretch) for part in chosen]
            self._apply(renewals)

    def _renewal(self, connection: sqlite3.Connection, part: int, stretch: _Stretch) -> _Renewal:
        """Read a part's raw samples and the chunks they change, and make new chunks."""
        raw = self._raw(connection, part, stretch)
        histograms = raw.histograms is not None and is_histogram(raw.histograms)
        raw = raw.take(np.broadcast_to(~np.asarray(histograms), len(raw)))
        buckets = roll_up(raw.row, raw.timestamps_ms, raw.values, self.resolution_ms)
        replaced, kept = self._stored(connection, part, stretch)
        chunks = [
            _Chunk(aggregate=aggregate, block=block)
            for aggregate in Aggregate
            for block in encoded(
                _in_order(
                    part,
                    [
                        *kept[aggregate],
                        (buckets.owners, buckets.timestamps_ms, buckets.columns[aggregate]),
                    ],
                ),
                level=0,
            )
        ]
        has_histograms = bool(np.any(histograms))
        return _Renewal(
            replaced=replaced, chunks=chunks, histogram_parts=[part] if has_histograms else []
        )

    def _raw(self, connection: sqlite3.Connection, part: int, stretch: _Stretch) -> Samples:
        blocks: list[Block] = []
        for block_id, data in connection.execute(
            "SELECT id, data FROM block WHERE tenant = ? AND part = ? AND max_ms > ?"
            " AND min_ms <= ? ORDER BY min_ms, id",
            (self.tenant, part, stretch.after_ms, stretch.until_ms),
        ):
            try:
                blocks.append(decode_block(data))
            except CorruptError:
                logger.exception("series block %d is damaged and not rolled up", block_id)
        if not blocks:
            return _in_order(part, [])
        samples = flattened(part, blocks)
        return samples.take(stretch.holds(samples.timestamps_ms))

    def _stored(
        self, connection: sqlite3.Connection, part: int, stretch: _Stretch
    ) -> tuple[list[int], dict[Aggregate, list[_Column]]]:
        replaced: list[int] = []
        kept: dict[Aggregate, list[_Column]] = {aggregate: [] for aggregate in Aggregate}
        for chunk_id, aggregate, data in connection.execute(
            "SELECT id, aggregate, data FROM rollup WHERE tenant = ? AND part = ?"
            " AND resolution_ms = ? AND max_ms > ? AND min_ms <= ? ORDER BY min_ms, id",
            (self.tenant, part, self.resolution_ms, stretch.after_ms, stretch.until_ms),
        ):
            replaced.append(chunk_id)
            try:
                samples = flattened(part, [decode_block(data)])
            except CorruptError:
                logger.exception("rollup %d is damaged and made anew as far as possible", chunk_id)
                continue
            old = samples.take(~stretch.holds(samples.timestamps_ms))
            kept[Aggregate(aggregate)].append((old.row, old.timestamps_ms, old.values))
        return replaced, kept

    def _apply(self, renewals: Sequence[_Renewal]) -> None:
        with self.database.writing() as connection:
            for renewal in renewals:
                note_histograms(connection, renewal.histogram_parts)
                connection.executemany(
                    "DELETE FROM rollup WHERE id = ?", [(one,) for one in renewal.replaced]
                )
                connection.executemany(
                    "UPDATE rollup SET level = ? WHERE id = ?",
                    [(DAMAGED_LEVEL, one) for one in renewal.damaged],
                )
                for chunk in renewal.chunks:
                    insert_chunk(
                        connection, self.tenant, self.resolution_ms, chunk.aggregate, chunk.block
                    )

    def _merge_pass(self) -> bool:
        with self.database.reading() as connection:
            groups = connection.execute(
                "SELECT part, aggregate, level FROM rollup WHERE tenant = ? AND resolution_ms = ?"
                " AND level BETWEEN 0 AND ? GROUP BY part, aggregate, level"
                " HAVING COUNT(*) >= ? LIMIT ?",
                (self.tenant, self.resolution_ms, TOP_LEVEL - 1, FAN_IN, _MERGES_PER_PASS),
            ).fetchall()
            merges = [self._merge(connection, *group) for group in groups]
        if merges:
            self._apply(merges)
        return bool(merges)

    def _merge(
        self, connection: sqlite3.Connection, part: int, aggregate: int, level: int
    ) -> _Renewal:
        replaced: list[int] = []
        damaged: list[int] = []
        columns: list[_Column] = []
        for chunk_id, data in connection.execute(
            "SELECT id, data FROM rollup WHERE tenant = ? AND part = ? AND resolution_ms = ?"
            " AND aggregate = ? AND level = ?",
            (self.tenant, part, self.resolution_ms, aggregate, level),
        ):
            try:
                samples = flattened(part, [decode_block(data)])
            except CorruptError:
                logger.exception("rollup %d is damaged and left alone", chunk_id)
                damaged.append(chunk_id)
                continue
            replaced.append(chunk_id)
            columns.append((samples.row, samples.timestamps_ms, samples.values))
        blocks = encoded(_in_order(part, columns), level=level + 1)
        return _Renewal(
            replaced=replaced,
            chunks=[_Chunk(aggregate=Aggregate(aggregate), block=block) for block in blocks],
            damaged=damaged,
        )


def insert_chunk(
    connection: sqlite3.Connection,
    tenant: str,
    resolution_ms: int,
    aggregate: int,
    block: NewBlock,
) -> None:
    """Write one column of some buckets."""
    connection.execute(
        "INSERT INTO rollup (tenant, part, resolution_ms, aggregate, level, min_ms, max_ms, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            tenant,
            block.part,
            resolution_ms,
            int(aggregate),
            block.level,
            block.min_ms,
            block.max_ms,
            block.data,
        ),
    )


def _in_order(part: int, columns: Sequence[_Column]) -> Samples:
    empty = np.empty(0, np.int64)
    row = np.concatenate([empty, *(column[0] for column in columns)])
    times = np.concatenate([empty, *(column[1] for column in columns)])
    values = np.concatenate([np.empty(0), *(column[2] for column in columns)])
    order = np.lexsort((times, row))
    return Samples(
        part=np.full(len(row), part),
        row=row[order],
        timestamps_ms=times[order],
        values=values[order],
    )
