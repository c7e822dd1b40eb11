"""Turning log rows into blocks, small blocks into larger ones, and old ones into nothing.

One process at a time does this. Encoding happens outside of any write transaction: log rows and
blocks never change, and only the compactor deletes them, so the write lock is held only to swap.
"""

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from detectviz.tsdb.codec import (
    MAX_COLUMNS,
    Batch,
    Block,
    CorruptError,
    block_from_flat,
    decode_block,
    decode_log,
    encode_block,
    join,
)
from detectviz.tsdb.database import Database
from detectviz.tsdb.integrity import Damage
from detectviz.tsdb.interface import Float64Array, HistogramArray, Int64Array
from detectviz.tsdb.optional_columns import Chosen, joined, picked
from detectviz.tsdb.quarantine import set_aside
from detectviz.tsdb.rollup_state import note_late

logger = logging.getLogger(__name__)

FAN_IN = 4  # so many blocks of a level become one of the next
TOP_LEVEL = 3  # also in the schema, as the condition of an index
DAMAGED_LEVEL = -1
_PASS_SAMPLES = 1_000_000
_MERGES_PER_PASS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Samples ordered by part, row and time, without duplicates."""

    part: Int64Array
    row: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    histograms: HistogramArray | None = None
    start_times_ms: Int64Array | None = None

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.part)

    def take(self, chosen: Chosen) -> "Samples":
        """Return the chosen samples."""
        return Samples(
            part=self.part[chosen],
            row=self.row[chosen],
            timestamps_ms=self.timestamps_ms[chosen],
            values=self.values[chosen],
            histograms=picked(self.histograms, chosen),
            start_times_ms=picked(self.start_times_ms, chosen),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBlock:
    """A block to insert."""

    part: int
    level: int
    min_ms: int
    max_ms: int
    data: bytes


class Compactor:
    """The work of ``EmbeddedStore.maintain``; the caller holds the compaction lock."""

    def __init__(self, database: Database, *, flush_after_ms: int) -> None:
        self._database = database
        self._flush_after_ms = flush_after_ms

    def run(self, now_ms: int) -> None:
        """Write blocks from a log that is due, then merge blocks while a level is full."""
        last_seq = self._last_seq_if_due(now_ms)
        while last_seq is not None and self._flush_pass(last_seq, now_ms):
            pass
        while self._merge_pass():
            pass

    def _last_seq_if_due(self, now_ms: int) -> int | None:
        with self._database.reading() as connection:
            last_seq, samples, oldest_ms = connection.execute(
                "SELECT MAX(seq), SUM(samples), MIN(max_ms) FROM log"
                " WHERE seq > (SELECT compacted_seq FROM state)"
            ).fetchone()
        if last_seq is None:
            return None
        due = samples >= _PASS_SAMPLES or now_ms - oldest_ms >= self._flush_after_ms
        return int(last_seq) if due else None

    def _flush_pass(self, until_seq: int, now_ms: int) -> bool:
        with self._database.reading() as connection:
            damages: list[Damage] = []
            compacted_seq, last_seq, batch = _log_batch(connection, until_seq, damages)
            if last_seq == compacted_seq:
                return False
            places = dict(_series_places(connection))
            tenants = _part_tenants(connection)
        samples = _ordered(_placed(batch, places))
        blocks = list(encoded(samples, level=0))
        with self._database.writing() as connection:
            insert_blocks(connection, blocks, tenants)
            note_late(connection, _oldest_by_part(blocks))
            connection.executemany(_UPSERT_TAIL, _tails(batch))
            connection.execute("UPDATE state SET compacted_seq = ?", (last_seq,))
            for damage in damages:
                set_aside(connection, damage, now_ms)
            connection.execute(
                "DELETE FROM log WHERE seq > ? AND seq <= ?", (compacted_seq, last_seq)
            )
        return True

    def _merge_pass(self) -> bool:
        with self._database.reading() as connection:
            groups = connection.execute(
                # The condition is that of a partial index, word for word.
                "SELECT part, level FROM block WHERE level >= 0 AND level < 3"
                " GROUP BY part, level HAVING COUNT(*) >= ? LIMIT ?",
                (FAN_IN, _MERGES_PER_PASS),
            ).fetchall()
            tenants = _part_tenants(connection)
            merges = [_merge(connection, part, level) for part, level in groups]
        if merges:
            with self._database.writing() as connection:
                for merge in merges:
                    _apply_merge(connection, merge, tenants)
        return bool(merges)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Merge:
    replaced: list[int]
    damaged: list[int]
    blocks: list[NewBlock]


_UPSERT_TAIL = (
    "INSERT INTO tail (series, last_ms, last_bits) VALUES (?, ?, ?) ON CONFLICT (series) DO UPDATE"
    " SET last_ms = excluded.last_ms, last_bits = excluded.last_bits"
    " WHERE excluded.last_ms > last_ms"
)


def _log_batch(
    connection: sqlite3.Connection, until_seq: int, damages: list[Damage]
) -> tuple[int, int, Batch]:
    (compacted_seq,) = connection.execute("SELECT compacted_seq FROM state").fetchone()
    batches: list[Batch] = []
    last_seq, total = compacted_seq, 0
    for seq, tenant, data in connection.execute(
        "SELECT seq, tenant, data FROM log WHERE seq > ? AND seq <= ? ORDER BY seq",
        (compacted_seq, until_seq),
    ):
        last_seq = seq
        try:
            batches.append(decode_log(data))
        except CorruptError as error:
            logger.exception("log row %d is damaged and set aside", seq)
            damages.append(Damage(source="log", source_id=seq, tenant=tenant, reason=str(error)))
            continue
        total += len(batches[-1])
        if total >= _PASS_SAMPLES:
            break
    return compacted_seq, last_seq, join(batches)


def _series_places(connection: sqlite3.Connection) -> Iterator[tuple[int, tuple[int, int]]]:
    for series_id, part, row in connection.execute("SELECT id, part, row FROM series"):
        yield series_id, (part, row)


def _part_tenants(connection: sqlite3.Connection) -> dict[int, str]:
    return dict(connection.execute("SELECT id, tenant FROM part").fetchall())


def _placed(batch: Batch, places: dict[int, tuple[int, int]]) -> Samples:
    unique, back = np.unique(batch.series_ids, return_inverse=True)
    found = np.array([places[series_id] for series_id in unique.tolist()], np.int64)
    return Samples(
        part=found.reshape(-1, 2)[back, 0],
        row=found.reshape(-1, 2)[back, 1],
        timestamps_ms=batch.timestamps_ms,
        values=batch.values,
        histograms=batch.histograms,
        start_times_ms=batch.start_times_ms,
    )


def _ordered(samples: Samples) -> Samples:
    ordered = samples.take(np.lexsort((samples.timestamps_ms, samples.row, samples.part)))
    fresh = np.ones(len(ordered), np.bool_)
    fresh[1:] = np.diff(ordered.part) != 0
    fresh[1:] |= (np.diff(ordered.row) != 0) | (np.diff(ordered.timestamps_ms) != 0)
    return ordered if fresh.all() else ordered.take(fresh)


def encoded(samples: Samples, *, level: int) -> Iterator[NewBlock]:
    """Make blocks of samples; full ones get the highest level."""
    borders = np.flatnonzero(np.diff(samples.part)) + 1
    starts = np.concatenate([[0], borders, [len(samples.part)]]).tolist()
    for start, end in pairwise(starts):
        if start < end:
            yield from _part_blocks(samples, slice(start, end), level)


def _part_blocks(samples: Samples, piece: slice, level: int) -> Iterator[NewBlock]:
    samples = samples.take(piece)
    row = samples.row
    _, starts, place = np.unique(row, return_index=True, return_inverse=True)
    # The how-many-th sample of its row decides which block a sample goes to.
    chunk = (np.arange(len(row)) - starts[place]) // MAX_COLUMNS
    for number in range(int(chunk.max()) + 1):
        chosen = chunk == number
        these = samples.take(chosen)
        rows, counts = np.unique(these.row, return_counts=True)
        block = block_from_flat(
            rows,
            counts,
            these.timestamps_ms,
            these.values,
            histograms=these.histograms,
            start_times_ms=these.start_times_ms,
        )
        full = block.values.shape[1] == MAX_COLUMNS
        yield NewBlock(
            part=int(samples.part[0]),
            level=TOP_LEVEL if full else level,
            min_ms=int(block.timestamps_ms.min()),
            max_ms=int(block.timestamps_ms.max()),
            data=encode_block(block),
        )


def insert_blocks(
    connection: sqlite3.Connection, blocks: list[NewBlock], tenants: Mapping[int, str]
) -> None:
    """Write blocks; ``tenants`` says whose each part is."""
    connection.executemany(
        "INSERT INTO block (tenant, part, level, min_ms, max_ms, data) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (tenants[block.part], block.part, block.level, block.min_ms, block.max_ms, block.data)
            for block in blocks
        ],
    )


def _oldest_by_part(blocks: list[NewBlock]) -> dict[int, int]:
    oldest: dict[int, int] = {}
    for block in blocks:
        oldest[block.part] = min(block.min_ms, oldest.get(block.part, block.min_ms))
    return oldest


def _tails(batch: Batch) -> list[tuple[int, int, int]]:
    order = np.lexsort((batch.timestamps_ms, batch.series_ids))
    ids = batch.series_ids[order]
    last = order[np.flatnonzero(np.diff(ids, append=-1))]
    return list(
        zip(
            batch.series_ids[last].tolist(),
            batch.timestamps_ms[last].tolist(),
            batch.values[last].view(np.int64).tolist(),
            strict=True,
        )
    )


def _merge(connection: sqlite3.Connection, part: int, level: int) -> _Merge:
    replaced: list[int] = []
    damaged: list[int] = []
    blocks: list[Block] = []
    for block_id, data in connection.execute(
        "SELECT id, data FROM block WHERE part = ? AND level = ? ORDER BY min_ms, id",
        (part, level),
    ):
        try:
            blocks.append(decode_block(data))
            replaced.append(block_id)
        except CorruptError:
            logger.exception("series block %d is damaged and left alone", block_id)
            damaged.append(block_id)
    merged = encoded(flattened(part, blocks), level=level + 1) if blocks else iter(())
    return _Merge(replaced=replaced, damaged=damaged, blocks=list(merged))


def flattened(part: int, blocks: list[Block]) -> Samples:
    """Return the samples of blocks of one part."""
    filled = [block.filled for block in blocks]
    pairs = list(zip(blocks, filled, strict=True))
    row = np.concatenate([np.repeat(block.rows, block.counts) for block in blocks])
    sizes = [int(block.counts.sum()) for block in blocks]
    return _ordered(
        Samples(
            part=np.full(len(row), part),
            row=row,
            timestamps_ms=np.concatenate([block.timestamps_ms[mask] for block, mask in pairs]),
            values=np.concatenate([block.values[mask] for block, mask in pairs]),
            histograms=joined([block.histograms_where(mask) for block, mask in pairs], sizes, None),
            start_times_ms=joined(
                [picked(block.start_times_ms, mask) for block, mask in pairs], sizes, 0
            ),
        )
    )


def _apply_merge(connection: sqlite3.Connection, merge: _Merge, tenants: dict[int, str]) -> None:
    connection.executemany(
        "DELETE FROM block WHERE id = ?", [(block_id,) for block_id in merge.replaced]
    )
    connection.executemany(
        "UPDATE block SET level = ? WHERE id = ?",
        [(DAMAGED_LEVEL, block_id) for block_id in merge.damaged],
    )
    insert_blocks(connection, merge.blocks, tenants)
