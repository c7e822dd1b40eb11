"""The queue's SQLite file, shared by the processes of one data directory."""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

import orjson

from detectviz.tsdb.backend_url import QueueLimits
from detectviz.tsdb.database import Database
from detectviz.tsdb.interface import StoreError
from detectviz.tsdb.sending.lots import Lot, encode_lot

_FIRST_SCHEMA = """
CREATE TABLE lot (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    samples INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    added_ms INTEGER NOT NULL,
    sent_ms INTEGER                  -- NULL while it waits
);
CREATE INDEX lot_waiting ON lot (seq) WHERE sent_ms IS NULL;
CREATE INDEX lot_sent ON lot (sent_ms) WHERE sent_ms IS NOT NULL;
CREATE INDEX lot_by_tenant ON lot (tenant, seq);
CREATE TABLE content (
    seq INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counter VALUES
    ('waiting_bytes', 0), ('waiting_samples', 0),
    ('sent', 0), ('retried', 0), ('dead', 0), ('refused', 0);
"""
_STEPS = (_FIRST_SCHEMA,)  # a step that was released never changes
_BUSY_TIMEOUT_S = 30.0
_LOT_OVERHEAD_BYTES = 200
_LOTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLot:
    """One row of the queue."""

    seq: int
    tenant: str
    samples: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """How the queue is doing; counters are samples since the file was made (retried: requests).

    ``oldest_age_s`` is how long the oldest waiting samples have been waiting. ``dead`` are
    samples that the backend refused for good, ``refused`` those we did not take.
    """

    waiting_samples: int
    waiting_bytes: int
    oldest_age_s: float
    sent: int
    retried: int
    dead: int
    refused: int


class QueueFile:
    """Lots in the order they came. Every method is one transaction, safe from any process.

    When ``limits.max_bytes`` wait, or the oldest has waited ``max_age_s``, nothing more is taken:
    what was acknowledged is never dropped to make room, and the sender of what is refused knows.
    """

    def __init__(
        self,
        path: Path,
        *,
        limits: QueueLimits,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._database = Database(
            path,
            busy_timeout_s=_BUSY_TIMEOUT_S,
            synchronous="NORMAL",
            steps=_STEPS,
        )

    def append(self, tenant: str, lots: Sequence[Lot]) -> None:
        """Add lots at the end; when this returns they survive kill -9.

        Raises:
            StoreError: the queue is full (retryable), or the file can't be written.

        """
        rows = [(len(lot), encode_lot(lot)) for lot in lots]
        samples = sum(count for count, _ in rows)
        size = sum(len(data) + _LOT_OVERHEAD_BYTES for _, data in rows)
        now_ms = self._now_ms()
        with self._database.writing() as connection:
            complaint = self._complaint(connection, size, now_ms)
            if complaint:
                _add(connection, refused=samples)
            else:
                for count, data in rows:
                    place = connection.execute(
                        "INSERT INTO lot (tenant, samples, bytes, added_ms) VALUES (?, ?, ?, ?)",
                        (tenant, count, len(data) + _LOT_OVERHEAD_BYTES, now_ms),
                    ).lastrowid
                    connection.execute("INSERT INTO content VALUES (?, ?)", (place, data))
                _add(connection, waiting_samples=samples, waiting_bytes=size)
        if complaint:
            raise StoreError(complaint, retryable=True)

    def waiting(self, *, without: Collection[str] = (), max_bytes: int) -> list[StoredLot]:
        """Return the oldest lots not sent, leaving out some tenants; one if any is there."""
        found, size = [], 0
        with self._database.reading() as connection:
            for row in connection.execute(
                "SELECT seq, tenant, samples, data FROM lot JOIN content USING (seq)"
                " WHERE sent_ms IS NULL AND tenant NOT IN (SELECT value FROM json_each(?))"
                " ORDER BY seq LIMIT ?",
                (orjson.dumps(list(without)).decode(), _LOTS_AT_ONCE),
            ):
                found.append(StoredLot(seq=row[0], tenant=row[1], samples=row[2], data=row[3]))
                size += len(row[3])
                if size >= max_bytes:
                    break
        return found

    def mark_sent(self, lots: Sequence[StoredLot], *, dead: int = 0, keep: bool) -> None:
        """Take lots out of those waiting; ``keep`` leaves them readable until ``expire``."""
        samples = sum(lot.samples for lot in lots)
        seqs = [(lot.seq,) for lot in lots]
        with self._database.writing() as connection:
            size = _bytes_of(connection, seqs)
            if keep:
                now_ms = self._now_ms()
                connection.executemany(
                    f"UPDATE lot SET sent_ms = {now_ms} WHERE seq = ?",  # noqa: S608 - an integer
                    seqs,
                )
            else:
                connection.executemany("DELETE FROM content WHERE seq = ?", seqs)
                connection.executemany("DELETE FROM lot WHERE seq = ?", seqs)
            _add(
                connection,
                waiting_samples=-samples,
                waiting_bytes=-size,
                sent=samples - dead,
                dead=dead,
            )

    def unsend(self) -> int:
        """Let everything wait again that was sent and kept; return how many lots that are."""
        with self._database.writing() as connection:
            count, samples, size = connection.execute(
                "SELECT COUNT(*), COALESCE(SUM(samples), 0), COALESCE(SUM(bytes), 0)"
                " FROM lot WHERE sent_ms IS NOT NULL"
            ).fetchone()
            if count:
                connection.execute("UPDATE lot SET sent_ms = NULL WHERE sent_ms IS NOT NULL")
                _add(connection, waiting_samples=samples, waiting_bytes=size, sent=-samples)
        return int(count)

    def expired(self, age_s: float) -> list[int]:
        """Return what was sent longer than ``age_s`` ago and is still kept."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT seq FROM lot WHERE sent_ms IS NOT NULL AND sent_ms <= ?",
                (self._now_ms() - age_s * 1000,),
            ).fetchall()
        return [row[0] for row in rows]

    def forget(self, seqs: Sequence[int]) -> None:
        """Drop lots that were sent and kept long enough."""
        rows = [(seq,) for seq in seqs]
        with self._database.writing() as connection:
            connection.executemany(
                "DELETE FROM content WHERE seq = (SELECT seq FROM lot WHERE seq = ?"
                " AND sent_ms IS NOT NULL)",
                rows,
            )
            connection.executemany("DELETE FROM lot WHERE seq = ? AND sent_ms IS NOT NULL", rows)

    def replace(self, lot: StoredLot, content: Lot | None) -> None:
        """Put other samples into a lot's place, or none."""
        with self._database.writing() as connection:
            row = connection.execute(
                "SELECT samples, bytes, sent_ms FROM lot WHERE seq = ?", (lot.seq,)
            ).fetchone()
            if row is None:
                return
            data = b"" if content is None else encode_lot(content)
            count = 0 if content is None else len(content)
            size = len(data) + _LOT_OVERHEAD_BYTES if content is not None else 0
            if content is None:
                connection.execute("DELETE FROM lot WHERE seq = ?", (lot.seq,))
                connection.execute("DELETE FROM content WHERE seq = ?", (lot.seq,))
            else:
                # A new number: readers remember lots by it.
                place = connection.execute("SELECT seq + 1 FROM sqlite_sequence WHERE name = 'lot'")
                (fresh,) = place.fetchone()
                connection.execute(
                    "UPDATE lot SET seq = ?, samples = ?, bytes = ? WHERE seq = ?",
                    (fresh, count, size, lot.seq),
                )
                connection.execute(
                    "UPDATE sqlite_sequence SET seq = ? WHERE name = 'lot'", (fresh,)
                )
                connection.execute("DELETE FROM content WHERE seq = ?", (lot.seq,))
                connection.execute("INSERT INTO content VALUES (?, ?)", (fresh, data))
            if row[2] is None:
                _add(connection, waiting_samples=count - row[0], waiting_bytes=size - row[1])

    def present(self, tenant: str, *, known: Collection[int]) -> tuple[set[int], list[StoredLot]]:
        """Return the numbers of all lots of a tenant, and the lots that are not ``known``."""
        with self._database.reading() as connection:
            seqs = {
                row[0]
                for row in connection.execute("SELECT seq FROM lot WHERE tenant = ?", (tenant,))
            }
            fresh = [
                StoredLot(seq=seq, tenant=tenant, samples=0, data=row[0])
                for seq in sorted(seqs.difference(known))
                for row in connection.execute("SELECT data FROM content WHERE seq = ?", (seq,))
            ]
        return seqs, fresh

    def kept_bytes(self, tenant: str) -> int:
        """Return how large the lots of a tenant are, sent or not."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT COALESCE(SUM(bytes), 0) FROM lot WHERE tenant = ?", (tenant,)
            ).fetchone()
        return int(row[0])

    def count(self, **amounts: int) -> None:
        """Add to counters."""
        with self._database.writing() as connection:
            _add(connection, **amounts)

    def status(self) -> QueueStatus:
        """Return how the queue is doing."""
        with self._database.reading() as connection:
            counters = dict(connection.execute("SELECT name, value FROM counter").fetchall())
            oldest = _oldest(connection)
        age_s = 0.0 if oldest is None else max(0.0, self._clock() - oldest / 1000)
        return QueueStatus(oldest_age_s=age_s, **counters)

    def claimed(self, purpose: str, *, wait: bool = False) -> AbstractContextManager[bool]:
        """Hold a lock among all processes; it ends with the process at the latest."""
        return self._database.claimed(purpose, wait=wait)

    def tidy(self) -> None:
        """Give the disk back what a long outage took."""
        self._database.give_back_pages()

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _complaint(self, connection: Connection, size: int, now_ms: int) -> str | None:
        (waiting,) = connection.execute(
            "SELECT value FROM counter WHERE name = 'waiting_bytes'"
        ).fetchone()
        if waiting + size > self._limits.max_bytes:
            return (
                f"the queue of samples for the backend is full: {waiting >> 20} MiB wait"
                " (queue_bytes); nothing was stored, send it again later"
            )
        oldest = _oldest(connection)
        if oldest is not None and now_ms - oldest > self._limits.max_age_s * 1000:
            return (
                f"samples have been waiting {(now_ms - oldest) // 1000} s for the backend"
                " (queue_age); nothing was stored, send it again later"
            )
        return None


def _oldest(connection: Connection) -> int | None:
    row = connection.execute(
        "SELECT added_ms FROM lot WHERE sent_ms IS NULL ORDER BY seq LIMIT 1"
    ).fetchone()
    return None if row is None else int(row[0])


def _bytes_of(connection: Connection, seqs: Sequence[tuple[int]]) -> int:
    rows = [
        connection.execute("SELECT bytes FROM lot WHERE seq = ?", seq).fetchone() for seq in seqs
    ]
    return sum(row[0] for row in rows if row is not None)


def _add(connection: Connection, **amounts: int) -> None:
    connection.executemany(
        "UPDATE counter SET value = value + ? WHERE name = ?",
        [(amount, name) for name, amount in amounts.items() if amount],
    )
