"""How large an embedded store is."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatistics:
    """Totals over all tenants; ``appends`` counts log rows since the file was made."""

    bytes: int
    series: int
    log_rows: int
    log_samples: int
    blocks: int
    rollups: int
    quarantined: int
    appends: int


def store_statistics(connection: sqlite3.Connection, path: Path) -> StoreStatistics:
    """Count rows, and bytes of the file with its write-ahead log."""
    files = [path, path.with_name(f"{path.name}-wal")]
    log_rows, log_samples, newest_seq = connection.execute(
        "SELECT COUNT(*), IFNULL(SUM(samples), 0), IFNULL(MAX(seq), 0) FROM log"
    ).fetchone()
    (compacted_seq,) = connection.execute("SELECT compacted_seq FROM state").fetchone()
    return StoreStatistics(
        bytes=sum(file.stat().st_size for file in files if file.exists()),
        series=_count(connection, "series"),
        log_rows=log_rows,
        log_samples=log_samples,
        blocks=_count(connection, "block"),
        rollups=_count(connection, "rollup"),
        quarantined=_count(connection, "quarantine"),
        appends=max(newest_seq, compacted_seq),
    )


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])  # noqa: S608 - our names
