"""The write path of the embedded store: one transaction per append, and little inside it."""

import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.activity import ActiveSeries, Room
from detectviz.tsdb.admission import StoredBits, Verdict, judge
from detectviz.tsdb.codec import Batch, encode_log
from detectviz.tsdb.database import Database
from detectviz.tsdb.interface import ColumnsReport, Int64Array, SampleColumns
from detectviz.tsdb.mirror import NEVER_MS, Mirror
from detectviz.tsdb.optional_columns import Chosen, picked
from detectviz.tsdb.policy import PolicyOf, TenantPolicy
from detectviz.tsdb.preparation import Prepared, prepare
from detectviz.tsdb.rate_limit import charge
from detectviz.tsdb.registration import (
    Resolved,
    Strangers,
    resolve,
    strangers,
)
from detectviz.tsdb.tokens import Recalled, TokenMemory

# Bits of stored samples of a tenant's series at some times.
StoredLookup: TypeAlias = Callable[[sqlite3.Connection, str, Int64Array, Int64Array], StoredBits]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """An append as far as it is understood without a lock."""

    tenant: str
    policy: TenantPolicy
    samples: int
    prepared: Prepared
    recalled: Recalled
    strangers: Strangers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What to write: ``known`` are the places of the batch's samples, None when all are in it."""

    resolved: Resolved
    recalled: Recalled
    batch: Batch
    known: Int64Array | None
    verdict: Verdict
    seq: int
    series: int


class Appender:
    """Appends of one process; ``lock`` makes them queue here instead of at the database.

    ``mirror_lock`` guards ``mirror`` and is never held while waiting for another process.
    """

    def __init__(
        self,
        *,
        database: Database,
        mirror: Mirror,
        mirror_lock: threading.Lock,
        stored: StoredLookup,
        policy: PolicyOf,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.lock = threading.Lock()
        self._database = database
        self._mirror = mirror
        self._mirror_lock = mirror_lock
        self._stored = stored
        self._policy = policy
        self._clock = clock
        self._tokens = TokenMemory()
        self._active = ActiveSeries()

    def append(self, tenant: str, columns: SampleColumns) -> ColumnsReport:
        """Store what may be stored.

        Raises:
            StoreError: nothing was stored.

        """
        prepared = prepare(columns)
        if not len(prepared.columns):
            return ColumnsReport(stored=0, refused=prepared.refused)
        asked = self._ask(tenant, len(columns), prepared)
        reason = self._hopeless(asked)
        if reason:
            return _nothing(asked, reason)
        with self.lock, self._database.writing() as connection:
            charge(connection, tenant, len(columns), asked.policy, self._clock())
            with self._mirror_lock:
                judged = self._judge(connection, asked)
            stored = _insert_log(connection, tenant, judged)
        self._remember(asked, judged, stored)
        return _report(asked, judged)

    def _ask(self, tenant: str, samples: int, prepared: Prepared) -> _Asked:
        policy = self._policy(tenant)
        recalled = self._tokens.recall(tenant, prepared.columns)
        return _Asked(
            tenant=tenant,
            policy=policy,
            samples=samples,
            prepared=prepared,
            recalled=recalled,
            strangers=strangers(prepared.columns, recalled.ids, policy),
        )

    def _hopeless(self, asked: _Asked) -> str:
        """Say, without the writers' lock, why the limit of series keeps everything out, if so.

        So that who sends nothing but new series beyond its limit holds up nobody else.
        """
        keys, tenant = asked.strangers.keys, asked.tenant
        if asked.policy.max_series is None or not keys or (asked.recalled.ids >= 0).any():
            return ""
        with self._database.reading() as connection, self._mirror_lock:
            self._mirror.sync(connection)
            index = self._mirror.index(tenant)
            if len(index) < asked.policy.max_series:
                return ""
            self._mirror.follow_tails(connection)
            room = self._room(connection, asked, wanted=len(keys))
            is_full = room.series == 0 and all(index.find(key) is None for key in keys.values())
            return room.reason if is_full else ""

    def _room(self, connection: sqlite3.Connection, asked: _Asked, *, wanted: int) -> Room:
        return self._active.room(
            connection,
            self._mirror,
            asked.tenant,
            wanted=wanted,
            max_series=asked.policy.max_series,
            now_ms=int(self._clock() * 1000),
        )

    def _judge(self, connection: sqlite3.Connection, asked: _Asked) -> _Judged:
        tenant, columns, recalled = asked.tenant, asked.prepared.columns, asked.recalled
        self._mirror.sync(connection)
        self._mirror.follow_tails(connection)
        found = asked.strangers
        if recalled.epoch != self._mirror.epoch:  # series have been deleted: remembered ids may lie
            recalled = Recalled(
                epoch=self._mirror.epoch, ids=np.full(len(columns.series), -1, np.int64)
            )
            found = strangers(columns, recalled.ids, asked.policy)
        index, now_ms = self._mirror.index(tenant), int(self._clock() * 1000)
        room = self._room(connection, asked, wanted=len(found.keys))
        resolved = resolve(
            connection,
            tenant,
            index,
            ids=recalled.ids,
            found=found,
            room=room,
            now_ms=now_ms,
        )
        batch, known = _batch(columns, resolved.ids)
        return _Judged(
            resolved=resolved,
            recalled=Recalled(epoch=recalled.epoch, ids=resolved.ids),
            batch=batch,
            known=known,
            verdict=self._verdict(connection, tenant, batch, asked.policy),
            seq=self._mirror.seen_seq + 1,
            series=len(index) + len(resolved.fresh),
        )

    def _verdict(
        self, connection: sqlite3.Connection, tenant: str, batch: Batch, policy: TenantPolicy
    ) -> Verdict:
        tail_ms, tail_bits = self._tails(batch.series_ids)

        def lookup(series_ids: Int64Array, timestamps_ms: Int64Array) -> StoredBits:
            return self._stored(connection, tenant, series_ids, timestamps_ms)

        return judge(
            batch,
            tail_ms=tail_ms,
            tail_bits=tail_bits,
            window_ms=int(policy.out_of_order_s * 1000),
            lookup=lookup,
        )

    def _tails(self, ids: Int64Array) -> tuple[Int64Array, npt.NDArray[np.uint64]]:
        known = ids < len(self._mirror.tail_ms)  # a series made just now is not in the mirror
        if known.all():
            return self._mirror.tail_ms[ids], self._mirror.tail_bits[ids]
        tail_ms, tail_bits = np.full(len(ids), NEVER_MS, np.int64), np.zeros(len(ids), np.uint64)
        tail_ms[known] = self._mirror.tail_ms[ids[known]]
        tail_bits[known] = self._mirror.tail_bits[ids[known]]
        return tail_ms, tail_bits

    def _remember(self, asked: _Asked, judged: _Judged, stored: Batch | None) -> None:
        if stored is not None:
            with self._mirror_lock:
                self._mirror.note_own(judged.seq, asked.tenant, stored)
        if judged.resolved.fresh:
            self._tokens.learn(
                asked.tenant,
                asked.prepared.columns,
                found=judged.recalled,
                places=judged.resolved.fresh,
                series=judged.series,
            )


def _batch(columns: SampleColumns, ids: Int64Array) -> tuple[Batch, Int64Array | None]:
    """Return the samples of resolved series, and where they are unless all samples are."""
    owned = ids[columns.owners]
    known: Int64Array | None = None
    if (ids < 0).any():
        known = np.flatnonzero(owned >= 0)
    chosen: Chosen = slice(None) if known is None else known
    batch = Batch(
        series_ids=owned[chosen],
        timestamps_ms=columns.timestamps_ms[chosen],
        values=columns.values[chosen],
        histograms=picked(columns.histograms, chosen),
        start_times_ms=picked(columns.start_times_ms, chosen),
    )
    return batch, known


def _insert_log(connection: sqlite3.Connection, tenant: str, judged: _Judged) -> Batch | None:
    chosen = judged.verdict.stored
    if not chosen.any():
        return None
    stored = judged.batch if chosen.all() else judged.batch.take(chosen)
    connection.execute(
        "INSERT INTO log (seq, tenant, samples, max_ms, data) VALUES (?, ?, ?, ?, ?)",
        (judged.seq, tenant, len(stored), int(stored.timestamps_ms.max()), encode_log(stored)),
    )
    return stored


def _nothing(asked: _Asked, reason: str) -> ColumnsReport:
    """Report that every sample is refused."""
    resolved = Resolved(
        ids=np.full(len(asked.prepared.columns.series), -1, np.int64),
        refused=asked.strangers.refused,
        limited=dict.fromkeys(asked.strangers.keys, reason),
        fresh=[],
    )
    batch, known = _batch(asked.prepared.columns, resolved.ids)
    judged = _Judged(
        resolved=resolved,
        recalled=asked.recalled,
        batch=batch,
        known=known,
        verdict=Verdict(stored=np.zeros(0, np.bool_), refused={}),
        seq=0,
        series=0,
    )
    return _report(asked, judged)


def _report(asked: _Asked, judged: _Judged) -> ColumnsReport:
    refused, limited = asked.prepared.refused, dict[int, str]()
    resolved, owners = judged.resolved, asked.prepared.columns.owners
    places = asked.prepared.places if asked.prepared.places is not None else range(asked.samples)
    if judged.known is not None:
        for at in np.flatnonzero(resolved.ids[owners] < 0).tolist():
            owner, place = int(owners[at]), int(places[at])
            if owner in resolved.limited:
                limited[place] = resolved.limited[owner]
            else:
                refused[place] = resolved.refused[owner]
    for at, reason in judged.verdict.refused.items():
        refused[int(places[at if judged.known is None else judged.known[at]])] = reason
    stored = asked.samples - len(refused) - len(limited)
    return ColumnsReport(stored=stored, refused=refused, limited=limited)
