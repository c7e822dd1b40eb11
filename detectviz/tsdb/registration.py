"""From samples to series ids: finding known series, making new ones, dropping dead ones.

Everything here happens inside the caller's write transaction.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectviz.tsdb.codec import MAX_ROWS
from detectviz.tsdb.index import TenantIndex
from detectviz.tsdb.interface import METRIC_NAME, Int64Array, SampleColumns
from detectviz.tsdb.labels import LabelKey, label_key, label_refusal
from detectviz.tsdb.mirror import dump_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The series of an append: ``ids`` by place of its token, -1 where ``refused`` says why not."""

    ids: Int64Array
    refused: dict[int, str]


def resolve(
    connection: sqlite3.Connection, tenant: str, index: TenantIndex, columns: SampleColumns
) -> Resolved:
    """Find or make the series of every token."""
    newcomers = _Newcomers(connection, tenant)
    ids: list[int] = []
    refused: dict[int, str] = {}
    for place, token in enumerate(columns.series):
        try:
            labels = columns.labels_of(token)
        except ValueError as error:
            refused[place] = str(error)
            ids.append(-1)
            continue
        series_id = index.find(labels)
        if series_id is None:
            key = label_key(labels)
            reason = label_refusal(key)
            if reason:
                refused[place] = reason
            series_id = -1 if reason else newcomers.add(key)
        ids.append(series_id)
    return Resolved(ids=np.array(ids, np.int64), refused=refused)


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

    def add(self, key: LabelKey) -> int:
        series_id = self._ids.get(key)
        if series_id is None:
            part, row = self._place(dict(key)[METRIC_NAME])
            cursor = self._connection.execute(
                "INSERT INTO series (tenant, labels, part, row) VALUES (?, ?, ?, ?) RETURNING id",
                (self._tenant, dump_labels(key), part, row),
            )
            series_id = self._ids[key] = int(cursor.fetchone()[0])
        return series_id

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
