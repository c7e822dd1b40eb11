"""What the database says about rollups: how far they reach and what has changed since."""

import sqlite3
from collections.abc import Iterable, Mapping

import numpy as np

from detectviz.tsdb.interface import Int64Array
from detectviz.tsdb.rollups import RESOLUTIONS_MS


def rolled_until(connection: sqlite3.Connection, tenant: str, resolution_ms: int) -> int | None:
    """Return up to when a tenant's rollups are whole; None when there are none."""
    found = connection.execute(
        "SELECT until_ms FROM rolled WHERE tenant = ? AND resolution_ms = ?",
        (tenant, resolution_ms),
    ).fetchone()
    return int(found[0]) if found else None


def rollups_from(connection: sqlite3.Connection, tenant: str) -> Mapping[int, int]:
    """Return the time of about the oldest bucket, by resolution."""
    found: dict[int, int] = {}
    for resolution_ms in RESOLUTIONS_MS:
        oldest = connection.execute(
            "SELECT min_ms FROM rollup WHERE tenant = ? AND resolution_ms = ?"
            " ORDER BY max_ms LIMIT 1",
            (tenant, resolution_ms),
        ).fetchone()
        if oldest:
            found[resolution_ms] = int(oldest[0])
    return found


def raw_from(connection: sqlite3.Connection, tenant: str) -> int | None:
    """Return the time from which raw samples are whole; None when none were dropped."""
    found = connection.execute(
        "SELECT from_ms FROM raw_from WHERE tenant = ?", (tenant,)
    ).fetchone()
    return int(found[0]) if found else None


def note_late(connection: sqlite3.Connection, parts: Mapping[int, int]) -> None:
    """Note from when on parts have raw samples that their rollups may not know."""
    for part, from_ms in parts.items():
        connection.execute(
            "INSERT INTO rollup_late (part, resolution_ms, from_ms)"
            " SELECT part.id, rolled.resolution_ms, ?2 FROM part JOIN rolled USING (tenant)"
            " WHERE part.id = ?1 AND rolled.until_ms >= ?2"
            " ON CONFLICT DO UPDATE SET from_ms = MIN(from_ms, excluded.from_ms)",
            (part, from_ms),
        )


def note_histograms(connection: sqlite3.Connection, parts: Iterable[int]) -> None:
    """Note parts that hold native histograms."""
    connection.executemany(
        "INSERT INTO unrolled (part) VALUES (?) ON CONFLICT DO NOTHING",
        [(part,) for part in parts],
    )


def has_histograms(connection: sqlite3.Connection, part: Int64Array) -> bool:
    """Tell whether any of these parts held native histograms when it was rolled up."""
    noted = [one for (one,) in connection.execute("SELECT part FROM unrolled")]
    return bool(np.isin(part, noted).any())
