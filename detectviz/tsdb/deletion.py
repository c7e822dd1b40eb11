"""Deleting samples: blocks and log rows that hold them are written anew without them.

No tombstones: readers pay nothing, what is deleted is really gone from the tables, and a deleted
range can be written again at once. The caller holds the compaction lock, so nobody else replaces
blocks; appends go on but for the last, short transaction. Every transaction leaves right answers
behind, so a crash half-way leaves some samples deleted and none damaged.
"""

import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.blocks import Places, Range, group_by_part, list_blocks
from detectviz.tsdb.codec import CorruptError, decode_block, decode_log, encode_log
from detectviz.tsdb.compaction import NewBlock, Samples, encoded, flattened, insert_blocks
from detectviz.tsdb.database import Database
from detectviz.tsdb.interface import Int64Array
from detectviz.tsdb.registration import delete_series, raise_epoch
from detectviz.tsdb.rollup_deletion import newest_bucket

logger = logging.getLogger(__name__)

_BLOCKS_PER_TRANSACTION = 256


class _Stored(NamedTuple):
    block_id: int
    level: int
    samples: Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rewrite:
    """One block that loses samples: ``owners`` are the places of the series concerned."""

    block_id: int
    owners: Int64Array
    blocks: list[NewBlock]


def delete_from_blocks(
    database: Database, tenant: str, places: Places, within: Range
) -> npt.NDArray[np.bool_]:
    """Rewrite the blocks that hold samples of the range; return which series lost some."""
    touched = np.zeros(len(places.part), np.bool_)
    by_part = group_by_part(places.part)
    with database.reading() as connection:
        listed = list_blocks(connection, tenant, list(by_part), within)
    for first in range(0, len(listed), _BLOCKS_PER_TRANSACTION):
        rewrites: list[_Rewrite] = []
        with database.reading() as connection:
            for block_id, part, _, _ in listed[first : first + _BLOCKS_PER_TRANSACTION]:
                for stored in _read(connection, block_id, part):
                    rewrite = _rewrite(stored, by_part[part], places.row, within)
                    rewrites += [rewrite] if rewrite else []
        with database.writing() as connection:
            for rewrite in rewrites:
                connection.execute("DELETE FROM block WHERE id = ?", (rewrite.block_id,))
                insert_blocks(
                    connection, rewrite.blocks, {new.part: tenant for new in rewrite.blocks}
                )
                touched[rewrite.owners] = True
    return touched


def delete_from_log(
    connection: sqlite3.Connection, tenant: str, ids: Int64Array, within: Range
) -> Int64Array:
    """Rewrite the log rows that hold samples of the range; return the series that lost some."""
    touched = [np.empty(0, np.int64)]
    rows = connection.execute("SELECT seq, data FROM log WHERE tenant = ?", (tenant,)).fetchall()
    for seq, data in rows:
        try:
            batch = decode_log(data)
        except CorruptError:
            logger.exception("log row %d is damaged and left alone", seq)
            continue
        hit = np.isin(batch.series_ids, ids)
        hit &= (batch.timestamps_ms >= within.start_ms) & (batch.timestamps_ms <= within.end_ms)
        if hit.all():
            connection.execute("DELETE FROM log WHERE seq = ?", (seq,))
        elif hit.any():
            kept = batch.take(~hit)
            connection.execute(
                "UPDATE log SET samples = ?, max_ms = ?, data = ? WHERE seq = ?",
                (len(kept), int(kept.timestamps_ms.max()), encode_log(kept), seq),
            )
        touched.append(np.unique(batch.series_ids[hit]))
    return np.unique(np.concatenate(touched))


def settle(
    connection: sqlite3.Connection, tenant: str, ids: Int64Array, places: Places, within: Range
) -> None:
    """After samples of these series went: say anew which is their newest, drop empty series."""
    outdated = np.array([_tail_is_within(connection, one, within) for one in ids.tolist()])
    _renew_tails(connection, tenant, ids[outdated], places.take(outdated))
    logged = _logged_ids(connection, tenant)
    delete_series(
        connection,
        [one for one in ids.tolist() if one not in logged and not _has_tail(connection, one)],
    )
    raise_epoch(connection)


def _read(connection: sqlite3.Connection, block_id: int, part: int) -> Iterator[_Stored]:
    level, data = connection.execute(
        "SELECT level, data FROM block WHERE id = ?", (block_id,)
    ).fetchone()
    try:
        yield _Stored(block_id, level, flattened(part, [decode_block(data)]))
    except CorruptError:
        logger.exception("series block %d is damaged and left alone", block_id)


def _rewrite(
    stored: _Stored, owners: Int64Array, row: Int64Array, within: Range
) -> _Rewrite | None:
    samples = stored.samples
    hit = np.isin(samples.row, row[owners])
    hit &= (samples.timestamps_ms >= within.start_ms) & (samples.timestamps_ms <= within.end_ms)
    if not hit.any():
        return None
    return _Rewrite(
        block_id=stored.block_id,
        owners=owners[np.isin(row[owners], samples.row[hit])],
        blocks=list(encoded(samples.take(~hit), level=stored.level)),
    )


def _renew_tails(
    connection: sqlite3.Connection, tenant: str, ids: Int64Array, places: Places
) -> None:
    for part, owners in group_by_part(places.part).items():
        newest = _newest(connection, tenant, part, places.row[owners])
        for owner in owners.tolist():
            series_id = int(ids[owner])
            connection.execute("DELETE FROM tail WHERE series = ?", (series_id,))
            row = int(places.row[owner])
            tail = newest.get(row) or newest_bucket(connection, tenant, part, row)
            if tail:
                connection.execute("INSERT INTO tail VALUES (?, ?, ?)", (series_id, *tail))


def _newest(
    connection: sqlite3.Connection, tenant: str, part: int, rows: Int64Array
) -> dict[int, tuple[int, int]]:
    """Return time and bits of the newest sample in blocks, for the rows that have any."""
    found: dict[int, tuple[int, int]] = {}
    for block_id, max_ms in connection.execute(
        "SELECT id, max_ms FROM block WHERE tenant = ? AND part = ? ORDER BY max_ms DESC",
        (tenant, part),
    ).fetchall():
        if len(found) == len(rows) and max_ms <= min(found.values())[0]:
            break
        (data,) = connection.execute("SELECT data FROM block WHERE id = ?", (block_id,)).fetchone()
        try:
            block = decode_block(data)
        except CorruptError:
            continue
        for at in np.flatnonzero(np.isin(block.rows, rows)).tolist():
            last = int(block.counts[at]) - 1
            tail = (
                int(block.timestamps_ms[at, last]),
                int(block.values[at, last : last + 1].view(np.int64)[0]),
            )
            row = int(block.rows[at])
            found[row] = max(tail, found.get(row, tail), key=lambda one: one[0])
    return found


def _tail_is_within(connection: sqlite3.Connection, series_id: int, within: Range) -> bool:
    return bool(
        connection.execute(
            "SELECT EXISTS (SELECT 1 FROM tail WHERE series = ? AND last_ms BETWEEN ? AND ?)",
            (series_id, within.start_ms, within.end_ms),
        ).fetchone()[0]
    )


def _has_tail(connection: sqlite3.Connection, series_id: int) -> bool:
    query = "SELECT EXISTS (SELECT 1 FROM tail WHERE series = ?)"
    return bool(connection.execute(query, (series_id,)).fetchone()[0])


def _logged_ids(connection: sqlite3.Connection, tenant: str) -> set[int]:
    logged: set[int] = set()
    for (data,) in connection.execute("SELECT data FROM log WHERE tenant = ?", (tenant,)):
        try:
            logged.update(np.unique(decode_log(data).series_ids).tolist())
        except CorruptError:
            continue
    return logged
