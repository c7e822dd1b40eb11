"""Making a damaged series file usable again, keeping everything that can be kept.

First the file: damaged indexes are built anew; if that is not enough, every row that can still be
read is copied into a new file, which then takes the old one's place through SQLite's own locks.
Then the rows: what does not decode is moved to the table ``quarantine`` with what is known of it.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from detectviz.tsdb.codec import CorruptError, decode_block
from detectviz.tsdb.database import TABLES, Database
from detectviz.tsdb.integrity import KEYS, Damage, database_damage, find_damage
from detectviz.tsdb.interface import StoreError
from detectviz.tsdb.quarantine import set_aside
from detectviz.tsdb.registration import raise_epoch
from detectviz.tsdb.rollup_state import note_late

logger = logging.getLogger(__name__)

_FARTHEST_ID = 1 << 31
_GAP = 100_000  # so many ids are tried after the last one that could be read


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairReport:
    """What was done: damages set aside, whether indexes or the whole file were made anew."""

    set_aside: tuple[Damage, ...] = ()
    is_reindexed: bool = False
    is_rewritten: bool = False


def verify_file(path: Path) -> tuple[Damage, ...]:
    """Name every damage of a series file; an empty answer means that all is well."""
    try:
        with closing(_opened(path)) as connection:
            return tuple(find_damage(connection))
    except sqlite3.Error as error:
        return (Damage(source="database", reason=str(error)),)


def repair_file(path: Path, *, now_ms: int) -> RepairReport:
    """Repair a series file; processes that use it may go on, but better stop them.

    Raises:
        StoreError: nothing can be read from the file at all.

    """
    is_reindexed, is_rewritten = _mend_pages(path)
    database = Database(path, busy_timeout_s=60, synchronous="FULL")
    try:
        with database.claimed("compact", wait=True), database.writing() as connection:
            damages = tuple(find_damage(connection))
            for damage in damages:
                set_aside(connection, damage, now_ms)
                if damage.source == "rollup":
                    _renew_siblings(connection, damage)
            _renew_tails(connection)
            raise_epoch(connection)
    finally:
        database.close()
    return RepairReport(set_aside=damages, is_reindexed=is_reindexed, is_rewritten=is_rewritten)


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    # Labels that are no UTF-8 any more are a damage to name, not a reason to stop.
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    return connection


def _mend_pages(path: Path) -> tuple[bool, bool]:
    try:
        with closing(_opened(path)) as connection:
            if not any(database_damage(connection)):
                return False, False
            connection.execute("REINDEX")
            if not any(database_damage(connection)):
                return True, False
    except sqlite3.Error:
        logger.exception("%s is to be written anew", path)
    _rewrite(path)
    return False, True


def _rewrite(path: Path) -> None:
    """Copy what can be read into a new file and put it in the old one's place."""
    fresh_path = path.with_name(f"{path.name}.repaired")
    fresh_path.unlink(missing_ok=True)
    Database(fresh_path, busy_timeout_s=60, synchronous="FULL").close()
    with closing(_opened(fresh_path)) as fresh:
        with closing(_opened(path)) as damaged:
            copied = sum(_copy_table(damaged, fresh, table) for table in TABLES)
        if not copied:
            raise StoreError(
                f"nothing can be read from {path}: restore a snapshot", retryable=False
            )
        fresh.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try:
            with closing(_opened(path)) as damaged:
                fresh.backup(damaged)
        except sqlite3.Error:
            fresh.close()
            for ending in ("-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            fresh_path.replace(path)
    for ending in ("", "-wal", "-shm", ".create-lock"):
        fresh_path.with_name(fresh_path.name + ending).unlink(missing_ok=True)


def _copy_table(damaged: sqlite3.Connection, fresh: sqlite3.Connection, table: str) -> int:
    copied = 0
    fresh.execute("BEGIN")
    for row in _readable(damaged, table):
        marks = ",".join("?" * len(row))
        try:
            fresh.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)  # noqa: S608 - our names
        except sqlite3.Error as error:
            logger.warning("a row of %s can't be kept: %s", table, error)
            continue
        copied += table != "state"
    fresh.execute("COMMIT")
    return copied


def _readable(connection: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    """Yield the rows in the order of their pages; behind a damaged page, id by id."""
    last_id = -1
    key = KEYS.get(table, "id")
    try:
        for row in connection.execute(f"SELECT * FROM {table} NOT INDEXED"):  # noqa: S608 - our names
            yield row
            last_id = row[0] if isinstance(row[0], int) else last_id
    except sqlite3.Error as error:
        logger.warning("%s is damaged behind row %s: %s", table, last_id, error)
    else:
        return
    missing = 0
    while missing < _GAP and last_id < _FARTHEST_ID:
        last_id += 1
        try:
            found = connection.execute(
                f"SELECT * FROM {table} NOT INDEXED WHERE {key} = ?",  # noqa: S608 - our names
                (last_id,),
            ).fetchone()
        except sqlite3.Error:
            found = None
        missing = 0 if found else missing + 1
        if found:
            yield found


def _renew_siblings(connection: sqlite3.Connection, damage: Damage) -> None:
    """Have the other columns of the same buckets made anew: they mean something only together."""
    if damage.part is not None and damage.min_ms is not None:
        connection.execute(
            "DELETE FROM rollup WHERE part = ? AND min_ms <= ? AND max_ms >= ?",
            (damage.part, damage.max_ms, damage.min_ms),
        )
        note_late(connection, {damage.part: damage.min_ms})


def _renew_tails(connection: sqlite3.Connection) -> None:
    """Say anew which sample of each series is the newest one in blocks."""
    tails: dict[tuple[int, int], tuple[int, int]] = {}
    for part, data in connection.execute("SELECT part, data FROM block"):
        try:
            block = decode_block(data)
        except CorruptError:
            continue
        for at, row in enumerate(block.rows.tolist()):
            last = int(block.counts[at]) - 1
            moment = int(block.timestamps_ms[at, last])
            if moment > tails.get((part, row), (moment - 1, 0))[0]:
                bits = int(block.values[at, last : last + 1].view("<i8")[0])
                tails[part, row] = moment, bits
    for series_id, part, row in connection.execute("SELECT id, part, row FROM series").fetchall():
        if (part, row) in tails:
            connection.execute(
                "INSERT OR REPLACE INTO tail VALUES (?, ?, ?)", (series_id, *tails[part, row])
            )
    connection.execute("DELETE FROM tail WHERE series NOT IN (SELECT id FROM series)")
