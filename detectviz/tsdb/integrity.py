"""Looking for damage in a series file: every row is read, decoded and compared with its place."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from detectviz.tsdb.codec import Block, CorruptError, decode_block, decode_log
from detectviz.tsdb.labels import LabelKey, label_refusal
from detectviz.tsdb.mirror import parse_labels

_MOST_PROBLEMS = 100
_DATABASE = "database"
KEYS = {"log": "seq"}  # of the tables whose key is not called id


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that is not as it was written, and what is known of it.

    ``source`` is the table, or ``database`` for what SQLite itself complains of.
    """

    source: str
    reason: str
    source_id: int | None = None
    tenant: str | None = None
    part: int | None = None
    min_ms: int | None = None
    max_ms: int | None = None

    def __str__(self) -> str:
        """Name the damage in one line."""
        name = self.source if self.source_id is None else f"{self.source} {self.source_id}"
        place = "" if self.tenant is None else f" of tenant {self.tenant}"
        within = "" if self.min_ms is None else f", times {self.min_ms} to {self.max_ms}"
        return f"{name}{place}{within}: {self.reason}"


def find_damage(connection: sqlite3.Connection) -> Iterator[Damage]:
    """Yield everything that is wrong; an unreadable table is one damage."""
    yield from database_damage(connection)
    for check in (_series, _blocks, _rollups, _log):
        try:
            yield from check(connection)
        except sqlite3.Error as error:
            yield Damage(source=_DATABASE, reason=f"{check.__name__[1:]} can't be read: {error}")


def database_damage(connection: sqlite3.Connection) -> Iterator[Damage]:
    """Yield what SQLite finds wrong with its pages and indexes."""
    try:
        found = connection.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})").fetchall()
    except sqlite3.Error as error:
        yield Damage(source=_DATABASE, reason=str(error))
        return
    for (problem,) in found:
        if problem != "ok":
            yield Damage(source=_DATABASE, reason=str(problem))


def _series(connection: sqlite3.Connection) -> Iterator[Damage]:
    taken: set[tuple[int, int]] = set()
    for series_id, tenant, labels, part, row in connection.execute(
        "SELECT series.id, series.tenant, labels, part.id, row FROM series"
        " LEFT JOIN part ON part.id = series.part AND part.tenant = series.tenant"
    ):
        reason = _label_damage(labels)
        if part is None:
            reason = "its part is missing"
        elif (part, row) in taken:
            reason = "another series has its place"
        taken.add((part, row))
        if reason:
            yield Damage(source="series", source_id=series_id, tenant=str(tenant), reason=reason)


def _label_damage(labels: object) -> str | None:
    try:
        key: LabelKey = parse_labels(str(labels))
        if list(key) != sorted(set(key)):
            return "its labels are not in order"
        return label_refusal(key)
    except (ValueError, TypeError):
        return "its labels can't be read"


def _blocks(connection: sqlite3.Connection) -> Iterator[Damage]:
    yield from _compressed(connection, "block")


def _rollups(connection: sqlite3.Connection) -> Iterator[Damage]:
    yield from _compressed(connection, "rollup")


def _compressed(connection: sqlite3.Connection, table: str) -> Iterator[Damage]:
    for row_id, tenant, part, min_ms, max_ms, data in connection.execute(
        f"SELECT id, tenant, part, min_ms, max_ms, data FROM {table}"  # noqa: S608 - two names
    ):
        reason = block_damage(data, min_ms, max_ms)
        if reason:
            yield Damage(
                source=table,
                source_id=row_id,
                tenant=str(tenant),
                part=part,
                min_ms=min_ms,
                max_ms=max_ms,
                reason=reason,
            )


def block_damage(data: bytes, min_ms: int, max_ms: int) -> str | None:
    """Say what is wrong with a block and the times that are noted for it."""
    try:
        block = decode_block(data)
    except CorruptError as error:
        return str(error)
    return time_damage(block, min_ms, max_ms)


def time_damage(block: Block, min_ms: int, max_ms: int) -> str | None:
    """Say whether a block is noted under other times than it holds."""
    if (int(block.timestamps_ms.min()), int(block.timestamps_ms.max())) == (min_ms, max_ms):
        return None
    return f"it is noted under the times {min_ms} to {max_ms}, which are not its own"


def _log(connection: sqlite3.Connection) -> Iterator[Damage]:
    known = {series_id for (series_id,) in connection.execute("SELECT id FROM series")}
    for seq, tenant, data in connection.execute("SELECT seq, tenant, data FROM log"):
        reason = None
        try:
            if not known.issuperset(decode_log(data).series_ids.tolist()):
                reason = "it names series that do not exist"
        except CorruptError as error:
            reason = str(error)
        if reason:
            yield Damage(source="log", source_id=seq, tenant=str(tenant), reason=reason)
