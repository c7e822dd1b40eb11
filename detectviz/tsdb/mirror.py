"""What one process remembers of the database: index, places of series, newest samples, head.

Everything here is derived from committed rows and is brought up to date, from within a
transaction, before it is used. Its owner locks.
"""

import logging
import sqlite3

import numpy as np
import orjson

from detectviz.tsdb.codec import Batch, CorruptError, decode_log
from detectviz.tsdb.head import Head
from detectviz.tsdb.index import TenantIndex
from detectviz.tsdb.interface import Int64Array, StoreError
from detectviz.tsdb.labels import LabelKey

logger = logging.getLogger(__name__)

# Which series were ever made and which log rows written, for little.
_STATE = (
    "SELECT epoch, compacted_seq,"
    " IFNULL((SELECT seq FROM sqlite_sequence WHERE name = 'series'), 0),"
    " IFNULL((SELECT MAX(seq) FROM log), 0) FROM state"
)
NEVER_MS = np.iinfo(np.int64).min


class Mirror:
    """Columns by series id (``part``, ``row``, ``tail_ms``, ``tail_bits``), indexes and heads.

    ``tail_ms`` and ``tail_bits`` describe the newest sample of a series, ``NEVER_MS`` means none;
    they are right once ``follow_tails`` was called, which a process that only reads never does.
    """

    def __init__(self) -> None:
        self.seen_seq = 0
        self.epoch = -1
        self._compacted_seq = -1
        self._last_id = 0
        self._follows_tails = False
        self._forget_series()

    def sync(self, connection: sqlite3.Connection) -> None:
        """Take in what was committed since the last call. Calls must see ever newer snapshots.

        Raises:
            StoreError: what the database holds can't have been written like this.

        """
        try:
            self._follow(connection)
        except (TypeError, ValueError, IndexError, KeyError, OverflowError, MemoryError) as error:
            self.epoch = -1  # begin anew the next time
            raise StoreError(
                f"the series index is damaged ({error}): run detectviz series repair",
                retryable=False,
            ) from error
        except Exception:
            self.epoch = -1
            raise

    def _follow(self, connection: sqlite3.Connection) -> None:
        epoch, compacted_seq, last_id, last_seq = connection.execute(_STATE).fetchone()
        if epoch != self.epoch:
            self._forget_series()
            self.epoch = epoch
        if last_id != self._last_id:
            self._load_series(connection)
            self._last_id = last_id
        if compacted_seq != self._compacted_seq:
            self._follow_compaction(connection, compacted_seq)
        if last_seq > self.seen_seq:
            self._load_log(connection)

    def note_own(self, seq: int, tenant: str, batch: Batch) -> None:
        """Take in a log row that this process has just committed, without reading it back."""
        if seq == self.seen_seq + 1:
            self._take_in(seq, tenant, batch)

    def follow_tails(self, connection: sqlite3.Connection) -> None:
        """Make the tails right, and keep them so; in the transaction of a ``sync`` just done."""
        if self._follows_tails:
            return
        self._load_tails(connection)
        for head in self._heads.values():
            for run in head.runs():
                self._note_tails(run)
        self._follows_tails = True

    def index(self, tenant: str) -> TenantIndex:
        """Return a tenant's index, an empty one for an unknown tenant."""
        return self._indexes.get(tenant) or TenantIndex()

    def runs(self, tenant: str) -> tuple[Batch, ...]:
        """Return a tenant's samples that are not in blocks yet.

        Raises:
            StoreError: some of them are damaged.

        """
        for seq, (owner, reason) in self._damaged.items():
            if owner == tenant:
                raise StoreError(
                    f"series log row {seq} is damaged ({reason}): run detectviz series repair",
                    retryable=False,
                )
        head = self._heads.get(tenant)
        return head.runs() if head else ()

    def logged_ids(self) -> Int64Array:
        """Return the ids of all series that have samples outside of blocks."""
        runs = [run for head in self._heads.values() for run in head.runs()]
        return np.unique(np.concatenate([np.empty(0, np.int64), *(r.series_ids for r in runs)]))

    def _forget_series(self) -> None:
        self._indexes: dict[str, TenantIndex] = {}
        self._heads: dict[str, Head] = {}
        self._damaged: dict[int, tuple[str, str]] = {}  # log rows: whose, and why
        self._last_id = 0
        self._compacted_seq = -1
        self._follows_tails = False
        self.part = np.zeros(0, np.int64)
        self.row = np.zeros(0, np.int64)
        self.tail_ms = np.zeros(0, np.int64)
        self.tail_bits = np.zeros(0, np.uint64)

    def _load_series(self, connection: sqlite3.Connection) -> None:
        found = connection.execute(
            "SELECT id, tenant, labels, part, row FROM series WHERE id > ? ORDER BY id",
            (self._last_id,),
        ).fetchall()
        if not found:
            return
        (newest_id,) = connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'series'"
        ).fetchone()
        if found[-1][0] > newest_id:
            raise ValueError(f"there is no series {found[-1][0]}")
        self._grow(found[-1][0] + 1)
        for series_id, tenant, labels, part, row in found:
            self._indexes.setdefault(tenant, TenantIndex()).add(series_id, parse_labels(labels))
            self.part[series_id] = part
            self.row[series_id] = row

    def _follow_compaction(self, connection: sqlite3.Connection, compacted_seq: int) -> None:
        if 0 <= self._compacted_seq < compacted_seq <= self.seen_seq:
            for head in self._heads.values():
                head.forget(compacted_seq)
        else:
            self._heads = {}
            self._follows_tails = False
            self.seen_seq = compacted_seq
        self._compacted_seq = compacted_seq
        self._damaged = {seq: one for seq, one in self._damaged.items() if seq > compacted_seq}

    def _load_tails(self, connection: sqlite3.Connection) -> None:
        tails = connection.execute("SELECT series, last_ms, last_bits FROM tail").fetchall()
        self.tail_ms[:] = NEVER_MS
        if tails:
            columns = np.array(tails, np.int64)
            known = columns[columns[:, 0] < len(self.tail_ms)]
            self.tail_ms[known[:, 0]] = known[:, 1]
            self.tail_bits[known[:, 0]] = known[:, 2].view(np.uint64)

    def _load_log(self, connection: sqlite3.Connection) -> None:
        for seq, tenant, data in connection.execute(
            "SELECT seq, tenant, data FROM log WHERE seq > ? ORDER BY seq", (self.seen_seq,)
        ):
            try:
                batch = decode_log(data)
            except CorruptError as error:
                logger.exception("log row %d is damaged", seq)
                self._damaged[seq] = (tenant, str(error))
                self.seen_seq = seq
            else:
                self._take_in(seq, tenant, batch)

    def _take_in(self, seq: int, tenant: str, batch: Batch) -> None:
        self._grow(int(batch.series_ids.max(initial=0)) + 1)
        if self._follows_tails:
            self._note_tails(batch)
        self._heads.setdefault(tenant, Head()).add(seq, batch)
        self.seen_seq = seq

    def _note_tails(self, batch: Batch) -> None:
        ids, times, bits = batch.series_ids, batch.timestamps_ms, batch.values.view(np.uint64)
        if not (np.diff(ids) > 0).all():
            order = np.argsort(times, kind="stable")
            ids, times, bits = ids[order], times[order], bits[order]
        newer = times > self.tail_ms[ids]
        # Of repeated ids the last assignment stays, which is the newest.
        self.tail_ms[ids[newer]] = times[newer]
        self.tail_bits[ids[newer]] = bits[newer]

    def _grow(self, size: int) -> None:
        if size <= len(self.part):
            return
        size = max(size, 2 * len(self.part))
        self.part = _extended(self.part, size)
        self.row = _extended(self.row, size)
        tail_ms = np.full(size, NEVER_MS, np.int64)
        tail_ms[: len(self.tail_ms)] = self.tail_ms
        self.tail_ms = tail_ms
        tail_bits = np.zeros(size, np.uint64)
        tail_bits[: len(self.tail_bits)] = self.tail_bits
        self.tail_bits = tail_bits


def dump_labels(key: LabelKey) -> str:
    """Write labels as the database keeps them."""
    return orjson.dumps([text for pair in key for text in pair]).decode()


def parse_labels(text: str) -> LabelKey:
    """Reverse ``dump_labels``."""
    flat = orjson.loads(text)
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def _extended(column: Int64Array, size: int) -> Int64Array:
    longer = np.zeros(size, np.int64)
    longer[: len(column)] = column
    return longer
