"""From samples to series ids: finding known series, making new ones, dropping dead ones.

Everything here happens inside the caller's write transaction.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from detectviz.tsdb.codec import MAX_ROWS, Batch
from detectviz.tsdb.index import TenantIndex
from detectviz.tsdb.interface import METRIC_NAME, Sample
from detectviz.tsdb.labels import (
    MAX_TIMESTAMP_MS,
    LabelKey,
    label_key,
    label_refusal,
    timestamp_refusal,
)
from detectviz.tsdb.mirror import dump_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Places of the samples whose labels and time are allowed with their series, and the rest.

    ``refused`` gives a reason by place in the append.
    """

    places: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)

    def batch(self, samples: Sequence[Sample]) -> Batch:
        """Return the allowed samples as arrays."""
        size = len(self.places)
        chosen = samples if size == len(samples) else [samples[at] for at in self.places]
        return Batch(
            series_ids=np.array(self.ids, np.int64),
            timestamps_ms=np.fromiter((s.timestamp_ms for s in chosen), np.int64, size),
            values=np.fromiter((s.value for s in chosen), np.float64, size),
        )


def resolve(
    connection: sqlite3.Connection, tenant: str, index: TenantIndex, samples: Sequence[Sample]
) -> Resolved:
    """Find or make the series of every sample whose labels and time are allowed."""
    newcomers = _Newcomers(connection, tenant)
    resolved = Resolved()
    for place, sample in enumerate(samples):
        series_id = index.find(sample.labels)
        if series_id is None or abs(sample.timestamp_ms) >= MAX_TIMESTAMP_MS:
            key = label_key(sample.labels)
            reason = timestamp_refusal(sample.timestamp_ms) or label_refusal(key)
            if reason:
                resolved.refused[place] = reason
                continue
            series_id = newcomers.add(key)
        resolved.places.append(place)
        resolved.ids.append(series_id)
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
