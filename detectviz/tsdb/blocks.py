"""Reading blocks: which ones, decoded once, cut to series and time."""

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.codec import Block, CorruptError, decode_block
from detectviz.tsdb.integrity import time_damage
from detectviz.tsdb.interface import Int64Array, StoreError
from detectviz.tsdb.labels import MAX_TIMESTAMP_MS
from detectviz.tsdb.optional_columns import Chosen
from detectviz.tsdb.segments import Segment

_PARTS_PER_QUERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A stretch of time, both ends inclusive, in Unix milliseconds."""

    start_ms: int
    end_ms: int

    @classmethod
    def between(cls, start_ms: int, end_ms: int) -> Self:
        """Cut any two times down to those a sample can have."""
        return cls(start_ms=max(start_ms, -MAX_TIMESTAMP_MS), end_ms=min(end_ms, MAX_TIMESTAMP_MS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where series lie: parallel arrays of part and row."""

    part: Int64Array
    row: Int64Array

    def take(self, chosen: npt.NDArray[np.bool_]) -> Self:
        """Return the chosen places."""
        return type(self)(part=self.part[chosen], row=self.row[chosen])


class BlockReader:
    """Blocks of all tenants with a cache of decoded ones, bounded in bytes. Safe for threads."""

    def __init__(self, *, cache_bytes: int) -> None:
        self._cache_bytes = cache_bytes
        self._cached_bytes = 0
        self._cache: OrderedDict[tuple[str, int], Block] = OrderedDict()
        self._lock = threading.Lock()

    def segments(
        self,
        connection: sqlite3.Connection,
        tenant: str,
        places: Places,
        within: Range,
        *,
        skip_damaged: bool = False,
    ) -> Iterator[Segment]:
        """Yield the samples of the series at ``places``, older blocks first.

        Raises:
            StoreError: a block is damaged, unless such are to be skipped.

        """
        by_part = group_by_part(places.part)
        for listed in list_blocks(connection, tenant, list(by_part), within):
            try:
                block = self._block(connection, tenant, listed)
            except StoreError:
                if not skip_damaged:
                    raise
                continue
            yield cut(block, by_part[listed[1]], places.row, within)

    def mark_alive(
        self,
        connection: sqlite3.Connection,
        tenant: str,
        places: Places,
        within: Range,
        alive: npt.NDArray[np.bool_],
    ) -> None:
        """Set ``alive`` where a series has a sample in the range; blocks are decoded if need be."""
        by_part = group_by_part(places.part)
        for listed in list_blocks(connection, tenant, list(by_part), within):
            owners = by_part[listed[1]]
            if alive[owners].all():
                continue
            segment = cut(self._block(connection, tenant, listed), owners, places.row, within)
            alive[segment.owners[segment.counts > 0]] = True

    def _block(
        self, connection: sqlite3.Connection, tenant: str, listed: tuple[int, int, int, int]
    ) -> Block:
        key = (tenant, listed[0])
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        block = _load(connection, tenant, listed)
        self._remember(key, block)
        return block

    def _remember(self, key: tuple[str, int], block: Block) -> None:
        with self._lock:
            if key in self._cache or block.nbytes > self._cache_bytes:
                return
            self._cache[key] = block
            self._cached_bytes += block.nbytes
            while self._cached_bytes > self._cache_bytes:
                _, dropped = self._cache.popitem(last=False)
                self._cached_bytes -= dropped.nbytes


def _load(connection: sqlite3.Connection, tenant: str, listed: tuple[int, int, int, int]) -> Block:
    block_id, _, min_ms, max_ms = listed
    found = connection.execute(
        "SELECT data FROM block WHERE id = ? AND tenant = ?", (block_id, tenant)
    ).fetchone()
    reason = "it is missing" if found is None else None
    try:
        block = decode_block(found[0] if found else b"")
        reason = time_damage(block, min_ms, max_ms)
    except CorruptError as error:
        reason = reason or str(error)
    if reason:
        raise StoreError(
            f"series block {block_id} is damaged ({reason}): run detectviz series repair",
            retryable=False,
        )
    return block


def group_by_part(part: Int64Array) -> dict[int, Int64Array]:
    """Return the places of each part in ``part``."""
    order = np.argsort(part, kind="stable")
    parts, starts = np.unique(part[order], return_index=True)
    groups = np.split(order, starts[1:])
    return dict(zip(parts.tolist(), groups, strict=False))


def list_blocks(
    connection: sqlite3.Connection, tenant: str, parts: list[int], within: Range
) -> list[tuple[int, int, int, int]]:
    """Return id, part, oldest and newest time of the parts' blocks that touch a range."""
    found: list[tuple[int, int, int, int]] = []
    for first in range(0, len(parts), _PARTS_PER_QUERY):
        chosen = parts[first : first + _PARTS_PER_QUERY]
        marks = ",".join("?" * len(chosen))
        found += connection.execute(
            "SELECT id, part, min_ms, max_ms FROM block WHERE tenant = ?"  # noqa: S608 - marks only
            f" AND part IN ({marks}) AND max_ms >= ? AND min_ms <= ?",
            (tenant, *chosen, within.start_ms, within.end_ms),
        ).fetchall()
    return sorted(found, key=lambda block: (block[2], block[0]))


def cut(block: Block, owners: Int64Array, row: Int64Array, within: Range) -> Segment:
    """Return the samples of some owners, which lie at ``row[owners]``, in a range."""
    wanted = row[owners]
    at = np.minimum(block.rows.searchsorted(wanted), len(block.rows) - 1)
    present = np.flatnonzero(block.rows[at] == wanted)
    present = present[np.argsort(at[present])]  # in the order of the block nothing need be copied
    owners, at = owners[present], at[present]
    picks: Chosen = slice(None) if len(at) == len(block.rows) else at
    times, counts = block.timestamps_ms[picks], block.counts[picks]
    inside = _inside(times, counts, within)

    def cells(matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return matrix[picks].reshape(-1) if inside is None else matrix[picks][inside]

    places = None if block.histogram_at is None else cells(block.histogram_at)
    return Segment(
        owners=owners,
        counts=counts if inside is None else inside.sum(axis=1),
        timestamps_ms=cells(block.timestamps_ms),
        values=cells(block.values),
        histograms=places if places is None else block.histograms_at(places),
        start_times_ms=None if block.start_times_ms is None else cells(block.start_times_ms),
        ascends=True,
    )


def _inside(times: Int64Array, counts: Int64Array, within: Range) -> npt.NDArray[np.bool_] | None:
    """Say which cells mean something and lie in the range; None when all do."""
    rows, columns = times.shape
    if not rows:
        return None
    newest = times[np.arange(rows), counts - 1]
    is_within = times[:, 0].min() >= within.start_ms and newest.max() <= within.end_ms
    if is_within and counts.min() == columns:
        return None
    inside = np.arange(columns) < counts[:, None]
    if not is_within:
        inside &= (times >= within.start_ms) & (times <= within.end_ms)
    return inside
