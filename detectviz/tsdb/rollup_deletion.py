"""Deleting from rollups: buckets that touch the range go, and are made anew of what raw is left."""

import logging
import sqlite3

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.blocks import Places, Range, group_by_part
from detectviz.tsdb.codec import CorruptError, decode_block
from detectviz.tsdb.compaction import encoded, flattened
from detectviz.tsdb.database import Database
from detectviz.tsdb.interface import Int64Array
from detectviz.tsdb.rollup_making import insert_chunk
from detectviz.tsdb.rollup_state import note_late
from detectviz.tsdb.rollups import RESOLUTIONS_MS, Aggregate

logger = logging.getLogger(__name__)


def delete_from_rollups(
    database: Database, tenant: str, places: Places, within: Range
) -> npt.NDArray[np.bool_]:
    """Remove the buckets of these series that touch the range; return which series had any.

    Where raw samples are gone already, a bucket is removed though only a piece of it was meant.
    """
    touched = np.zeros(len(places.part), np.bool_)
    for part, owners in group_by_part(places.part).items():
        with database.writing() as connection:
            own = Places(part=places.part[owners], row=places.row[owners])
            rows = [_cut_out(connection, tenant, own, one, within) for one in RESOLUTIONS_MS]
            if any(map(len, rows)):
                note_late(connection, {part: within.start_ms})
        touched[owners] = np.isin(places.row[owners], np.concatenate(rows))
    return touched


def newest_bucket(
    connection: sqlite3.Connection, tenant: str, part: int, row: int
) -> tuple[int, int] | None:
    """Return time and bits of the newest value that rollups know of a series."""
    newest: tuple[int, int] | None = None
    for (data,) in connection.execute(
        "SELECT data FROM rollup WHERE tenant = ? AND part = ? AND aggregate = ?",
        (tenant, part, int(Aggregate.LAST)),
    ):
        try:
            samples = flattened(part, [decode_block(data)])
        except CorruptError:
            continue
        own = samples.take(samples.row == row)
        if len(own) and (newest is None or int(own.timestamps_ms[-1]) > newest[0]):
            newest = int(own.timestamps_ms[-1]), int(own.values[-1:].view(np.int64)[0])
    return newest


def _cut_out(
    connection: sqlite3.Connection,
    tenant: str,
    places: Places,
    resolution_ms: int,
    within: Range,
) -> Int64Array:
    """Rewrite the chunks of one part and resolution; return the rows that lost buckets."""
    part, rows = int(places.part[0]), places.row
    lost = [np.empty(0, np.int64)]
    for chunk_id, aggregate, level, data in connection.execute(
        "SELECT id, aggregate, level, data FROM rollup WHERE tenant = ? AND part = ?"
        " AND resolution_ms = ? AND max_ms >= ? AND min_ms <= ?",
        (tenant, part, resolution_ms, within.start_ms, within.end_ms + resolution_ms),
    ).fetchall():
        try:
            samples = flattened(part, [decode_block(data)])
        except CorruptError:
            logger.exception("rollup %d is damaged and left alone", chunk_id)
            continue
        end_ms = -(-samples.timestamps_ms // resolution_ms) * resolution_ms
        hit = np.isin(samples.row, rows)
        hit &= (end_ms >= within.start_ms) & (end_ms - resolution_ms < within.end_ms)
        if hit.any():
            lost.append(np.unique(samples.row[hit]))
            connection.execute("DELETE FROM rollup WHERE id = ?", (chunk_id,))
            for block in encoded(samples.take(~hit), level=level):
                insert_chunk(connection, tenant, resolution_ms, aggregate, block)
    return np.unique(np.concatenate(lost))
