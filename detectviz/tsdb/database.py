"""The SQLite file: schema, connections and transactions."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from detectviz.tsdb.interface import StoreError

_FIRST_SCHEMA = """
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,          -- rises when series are deleted
    compacted_seq INTEGER NOT NULL   -- log rows up to here are in blocks
);
INSERT INTO state VALUES (1, 0, 0);
CREATE TABLE part (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    metric TEXT NOT NULL,
    size INTEGER NOT NULL            -- rows given out; never given out again
);
CREATE INDEX part_by_metric ON part (tenant, metric, id);
CREATE TABLE series (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    labels TEXT NOT NULL,            -- JSON: name, value, name, value … sorted by name
    part INTEGER NOT NULL,
    row INTEGER NOT NULL,
    UNIQUE (tenant, labels)
);
CREATE TABLE tail (
    series INTEGER PRIMARY KEY,
    last_ms INTEGER NOT NULL,        -- newest sample in blocks
    last_bits INTEGER NOT NULL       -- its double, bit for bit
);
CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    samples INTEGER NOT NULL,
    max_ms INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE block (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    part INTEGER NOT NULL,
    level INTEGER NOT NULL,          -- how often merged; -1 = found damaged
    min_ms INTEGER NOT NULL,
    max_ms INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX block_by_part ON block (tenant, part, max_ms, min_ms);
CREATE INDEX block_to_merge ON block (part, level) WHERE level >= 0 AND level < 3;
CREATE INDEX block_by_age ON block (max_ms);
"""
_ROLLUPS_AND_QUARANTINE = """
CREATE TABLE rollup (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    part INTEGER NOT NULL,
    resolution_ms INTEGER NOT NULL,
    aggregate INTEGER NOT NULL,      -- which column of the buckets; all columns have equal times
    level INTEGER NOT NULL,          -- how often merged
    min_ms INTEGER NOT NULL,
    max_ms INTEGER NOT NULL,
    data BLOB NOT NULL               -- a block: the last sample's time and the aggregate
);
CREATE INDEX rollup_by_part ON rollup (tenant, part, resolution_ms, aggregate, max_ms, min_ms);
CREATE INDEX rollup_by_age ON rollup (tenant, resolution_ms, max_ms);
CREATE TABLE rolled (
    tenant TEXT NOT NULL,
    resolution_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,       -- rollups are whole up to here, parts below excepted
    PRIMARY KEY (tenant, resolution_ms)
) WITHOUT ROWID;
CREATE TABLE rollup_late (
    part INTEGER NOT NULL,
    resolution_ms INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,        -- raw samples from here on changed after they were rolled up
    PRIMARY KEY (part, resolution_ms)
) WITHOUT ROWID;
CREATE TABLE raw_from (
    tenant TEXT PRIMARY KEY,
    from_ms INTEGER NOT NULL         -- raw samples before this have been dropped
) WITHOUT ROWID;
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    found_ms INTEGER NOT NULL,
    source TEXT NOT NULL,            -- the table it was found in
    source_id INTEGER NOT NULL,
    tenant TEXT,
    part INTEGER,
    min_ms INTEGER,
    max_ms INTEGER,
    reason TEXT NOT NULL,
    data BLOB
);
"""
_BUCKETS = """
CREATE TABLE bucket (
    tenant TEXT PRIMARY KEY,
    level REAL NOT NULL,             -- samples that may come at once; below 0 after a large request
    at_s REAL NOT NULL               -- Unix time of that
) WITHOUT ROWID;
"""
_HISTOGRAM_PARTS = """
CREATE TABLE unrolled (
    part INTEGER PRIMARY KEY         -- it holds native histograms, which have no rollups
);
"""
_MADE = """
CREATE TABLE made (
    from_ms INTEGER PRIMARY KEY,     -- Unix time at which five minutes begin
    last_id INTEGER NOT NULL         -- the last series made in them
);
INSERT INTO made SELECT 0, IFNULL(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'series';
"""
# Step n makes format n of format n - 1. A step that was released never changes.
SERIES_STEPS = (_FIRST_SCHEMA, _ROLLUPS_AND_QUARANTINE, _BUCKETS, _HISTOGRAM_PARTS, _MADE)
TABLES = (
    "state",
    "part",
    "series",
    "tail",
    "log",
    "block",
    "rollup",
    "rolled",
    "rollup_late",
    "raw_from",
    "quarantine",
    "bucket",
    "unrolled",
    "made",
)
_MMAP_BYTES = 1 << 28
_JOURNAL_LIMIT_BYTES = 1 << 26
_PAGES_KEPT = 512  # the log soon needs them again
_PAGES_GIVEN_BACK = 8192  # at once: writers wait meanwhile


class Database:
    """One SQLite file in WAL mode, used by many threads and processes.

    ``steps`` are scripts: step n makes format n of format n - 1. A transaction borrows a
    connection for itself from a pool, so threads never share one; after a fork the child starts
    with an empty pool.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout_s: float,
        synchronous: str,
        steps: Sequence[str] = SERIES_STEPS,
    ) -> None:
        self._path = path
        self._steps = steps
        self._busy_timeout_s = busy_timeout_s
        self._synchronous = synchronous
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._closed = False
        with translated_errors():
            self._create()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a consistent snapshot, which begins at the first query."""
        with translated_errors(), self._borrowed() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Be the one writer; commit at the end of the block, roll back on an exception."""
        with translated_errors(), self._borrowed() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def claimed(self, purpose: str, *, wait: bool = False) -> Iterator[bool]:
        """Hold a lock among all processes; yield whether it is ours. It ends with the process."""
        lock_path = self._path.with_name(f"{self._path.name}.{purpose}-lock")
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield _lock_file(descriptor, wait=wait)
        finally:
            os.close(descriptor)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    def snapshot(self, target: Path) -> None:
        """Write a consistent copy to a new file while others read and write."""
        partial = target.with_name(f"{target.name}.partial")
        partial.unlink(missing_ok=True)
        with translated_errors(), self._borrowed() as connection:
            connection.execute("VACUUM INTO ?", (str(partial),))
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.rename(target)

    def checkpoint(self) -> None:
        """Move committed pages from the write-ahead log into the file, waiting for nobody."""
        with translated_errors(), self._borrowed() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def give_back_pages(self) -> None:
        """Return some free pages to the file system when more than an eighth of all are free.

        A file made before files could shrink keeps them; ``VACUUM`` in its shell frees it once.
        """
        with translated_errors(), self._borrowed() as connection:
            (free,) = connection.execute("PRAGMA freelist_count").fetchone()
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            spare = free - max(_PAGES_KEPT, pages // 8)
            if spare > 0:
                count = min(spare, _PAGES_GIVEN_BACK)
                # As a script it runs to its end; ``execute`` would stop after one page.
                connection.executescript(f"PRAGMA incremental_vacuum({count})")

    def close(self) -> None:
        """Close every idle connection; the ones in use close when given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        if self._pid == os.getpid():
            for connection in idle:
                connection.close()

    def _create(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self.claimed("create", wait=True), self._borrowed() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > len(self._steps):
                raise StoreError(
                    f"{self._path} has format {version}; this program reads up to"
                    f" {len(self._steps)}",
                    retryable=False,
                )
            if version == 0:
                connection.executescript(
                    "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL;"
                    " PRAGMA journal_mode = WAL;"
                )
            for step in range(version, len(self._steps)):
                connection.executescript(
                    f"BEGIN IMMEDIATE; {self._steps[step]}"
                    f" PRAGMA user_version = {step + 1}; COMMIT;"
                )

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        connection = self._take()
        try:
            yield connection
        finally:
            self._give_back(connection)

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreError("the series store is closed", retryable=False)
            if self._pid != os.getpid():
                # Closing an inherited connection would drop the parent's file locks.
                _INHERITED.extend(self._idle)
                self._idle, self._pid = [], os.getpid()
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute(f"PRAGMA mmap_size = {_MMAP_BYTES}")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT_BYTES}")
        return connection


_INHERITED: list[sqlite3.Connection] = []  # kept so that the garbage collector never closes them


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn SQLite's errors into StoreError: busy or I/O may pass, a damaged file will not."""
    try:
        yield
    except sqlite3.Error as error:
        retryable = isinstance(error, sqlite3.OperationalError)
        raise StoreError(f"series database: {error}", retryable=retryable) from error


def _lock_file(descriptor: int, *, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
