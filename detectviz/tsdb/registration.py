"""From tokens to series ids: finding known series, making new ones, dropping dead ones.

Labels are looked at outside of any transaction; series are made inside the caller's.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from detectviz.tsdb.activity import Room, note_made
from detectviz.tsdb.codec import MAX_ROWS
from detectviz.tsdb.index import TenantIndex
from detectviz.tsdb.interface import METRIC_NAME, Int64Array, SampleColumns
from detectviz.tsdb.labels import LabelKey, label_key, label_refusal
from detectviz.tsdb.mirror import dump_labels
from detectviz.tsdb.policy import TenantPolicy
from detectviz.tsdb.tokens import UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """Tokens to resolve by their labels: ``keys`` and reasons by place of the token."""

    keys: dict[int, LabelKey] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The series of an append: ``ids`` by place of its token, -1 where there is a reason why not.

    ``fresh`` are the places of tokens worth remembering.
    """

    ids: Int64Array
    refused: dict[int, str]
    limited: dict[int, str]
    fresh: list[int]


def strangers(columns: SampleColumns, ids: Int64Array, policy: TenantPolicy) -> Strangers:
    """Read the labels of tokens that nobody remembers, if they have samples."""
    unknown = ids == UNKNOWN
    found = Strangers()
    if not unknown.any():
        return found
    has_samples = np.zeros(len(ids), np.bool_)
    has_samples[columns.owners] = True
    for place in np.flatnonzero(unknown & has_samples).tolist():
        try:
            key = label_key(columns.labels_of(columns.series[place]))
        except ValueError as error:
            found.refused[place] = str(error)
            continue
        reason = label_refusal(key, policy)
        if reason:
            found.refused[place] = reason
        else:
            found.keys[place] = key
    return found


def resolve(
    connection: sqlite3.Connection,
    tenant: str,
    index: TenantIndex,
    *,
    ids: Int64Array,
    found: Strangers,
    room: Room,
    now_ms: int,
) -> Resolved:
    """Find or make the series of every stranger, as far as the tenant may have more."""
    newcomers = _Newcomers(connection, tenant)
    resolved = Resolved(ids=ids.copy(), refused=found.refused, limited={}, fresh=[])
    for place, key in found.keys.items():
        series_id = index.find(key)
        if series_id is None:
            is_full = room.series is not None and len(newcomers) >= room.series
            series_id = newcomers.find(key) if is_full else newcomers.add(key)
        if series_id is None:
            resolved.limited[place] = room.reason
        else:
            resolved.ids[place] = series_id
            resolved.fresh.append(place)
    newcomers.write(now_ms)
    return resolved


def delete_series(connection: sqlite3.Connection, dead: Sequence[int]) -> None:
    """Forget series, and parts that hold nothing any more; other processes will notice."""
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
    connection.execute("DELETE FROM rollup_late WHERE part NOT IN (SELECT id FROM part)")
    raise_epoch(connection)


def raise_epoch(connection: sqlite3.Connection) -> None:
    """Make every process forget what it remembers and read the database anew."""
    connection.execute("UPDATE state SET epoch = epoch + 1")


class _Newcomers:
    """Series first seen in this append: rows of the running transaction, unknown to the index."""

    def __init__(self, connection: sqlite3.Connection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant
        self._ids: dict[LabelKey, int] = {}
        self._rows: list[tuple[int, str, str, int, int]] = []
        self._open: dict[str, tuple[int, int]] = {}  # metric -> its last part and that one's size
        self._parts: dict[int, tuple[str, int]] = {}  # what to write: metric and size
        self._last_series = self._last_part = UNKNOWN

    def __len__(self) -> int:
        return len(self._ids)

    def find(self, key: LabelKey) -> int | None:
        return self._ids.get(key)

    def add(self, key: LabelKey) -> int:
        series_id = self._ids.get(key)
        if series_id is None:
            if self._last_series == UNKNOWN:
                self._last_series = _last_id(self._connection, "series")
                self._last_part = _last_id(self._connection, "part")
            part, row = self._place(dict(key)[METRIC_NAME])
            self._last_series += 1
            series_id = self._ids[key] = self._last_series
            self._rows.append((series_id, self._tenant, dump_labels(key), part, row))
        return series_id

    def write(self, now_ms: int) -> None:
        if not self._rows:
            return
        self._connection.executemany(
            "INSERT INTO part (id, tenant, metric, size) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET size = excluded.size",
            [(part, self._tenant, *rest) for part, rest in self._parts.items()],
        )
        self._connection.executemany(
            "INSERT INTO series (id, tenant, labels, part, row) VALUES (?, ?, ?, ?, ?)", self._rows
        )
        note_made(self._connection, self._last_series, now_ms)

    def _place(self, metric: str) -> tuple[int, int]:
        part, size = self._open.get(metric) or self._stored(metric)
        if size == MAX_ROWS:
            self._last_part += 1
            part, size = self._last_part, 0
        self._open[metric] = part, size + 1
        self._parts[part] = metric, size + 1
        return part, size

    def _stored(self, metric: str) -> tuple[int, int]:
        found = self._connection.execute(
            "SELECT id, size FROM part WHERE tenant = ? AND metric = ? ORDER BY id DESC LIMIT 1",
            (self._tenant, metric),
        ).fetchone()
        return (int(found[0]), int(found[1])) if found else (UNKNOWN, MAX_ROWS)


def _last_id(connection: sqlite3.Connection, table: str) -> int:
    """Return the highest id that ever was: ids are never given twice."""
    found = connection.execute(
        "SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)
    ).fetchone()
    return int(found[0]) if found else 0
