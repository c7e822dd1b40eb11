"""Answering a selection from rollups, and from raw samples where there are none yet."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.blocks import Places, Range, cut, group_by_part
from detectviz.tsdb.codec import CorruptError, decode_block
from detectviz.tsdb.interface import SelectHints, StoreError
from detectviz.tsdb.labels import MAX_TIMESTAMP_MS
from detectviz.tsdb.rollup_state import has_histograms, raw_from, rolled_until, rollups_from
from detectviz.tsdb.rollups import (
    COLUMNS,
    RESOLUTIONS_MS,
    Aggregate,
    Buckets,
    Choice,
    Feed,
    bucket_end,
    choose,
    feed_values,
    roll_up,
)
from detectviz.tsdb.segments import Columns, Segment, assemble

_PARTS_PER_QUERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupPlan:
    """How one selection is answered: stored buckets in ``stored``, raw samples in ``raw``."""

    choice: Choice
    stored: Range
    raw: Range


def rollup_plan(
    connection: sqlite3.Connection,
    tenant: str,
    places: Places,
    hints: SelectHints | None,
    within: Range,
) -> RollupPlan | None:
    """Decide whether rollups answer; None means that raw samples do."""
    if hints is None:
        return None
    choice = choose(
        hints,
        start_ms=within.start_ms,
        raw_from_ms=raw_from(connection, tenant),
        rollups_from_ms=rollups_from(connection, tenant),
    )
    if choice is None or has_histograms(connection, places.part):
        return None
    until_ms = rolled_until(connection, tenant, choice.resolution_ms)
    if until_ms is None:
        return None
    start_ms = within.start_ms
    if choice.feed is Feed.MARKED_LAST:
        start_ms = max(start_ms - choice.resolution_ms, -MAX_TIMESTAMP_MS)
    begin_ms = bucket_end(start_ms, choice.resolution_ms) - choice.resolution_ms
    return RollupPlan(
        choice=choice,
        stored=Range(start_ms=start_ms, end_ms=min(within.end_ms, until_ms)),
        raw=Range(start_ms=max(begin_ms, until_ms) + 1, end_ms=within.end_ms),
    )


def read_rollups(
    connection: sqlite3.Connection, tenant: str, places: Places, plan: RollupPlan, raw: Columns
) -> Columns:
    """Return one sample per bucket; ``raw`` are the raw samples of ``plan.raw``.

    Raises:
        StoreError: a chunk is damaged.

    """
    size = len(places.part)
    owners = np.repeat(np.arange(size), np.diff(raw.offsets))
    fresh = roll_up(owners, raw.timestamps_ms, raw.values, plan.choice.resolution_ms)
    late = fresh.timestamps_ms >= plan.stored.start_ms
    found: dict[Aggregate, Columns] = {}
    for aggregate in COLUMNS[plan.choice.feed]:
        segments = list(_segments(connection, tenant, places, plan, aggregate))
        segments.append(_fresh_segment(fresh, late, aggregate, size))
        found[aggregate] = assemble(size, segments)
    times = [columns.timestamps_ms for columns in found.values()]
    if not all(np.array_equal(times[0], other) for other in times[1:]):
        raise StoreError(
            "the rollups of these series contradict each other: run detectviz series repair",
            retryable=False,
        )
    some = found[Aggregate.COUNT]
    columns = {aggregate: column.values for aggregate, column in found.items()}
    return Columns(
        offsets=some.offsets,
        timestamps_ms=some.timestamps_ms,
        values=feed_values(plan.choice.feed, columns, some.offsets),
    )


def mark_rolled_up(
    connection: sqlite3.Connection,
    tenant: str,
    places: Places,
    within: Range,
    alive: npt.NDArray[np.bool_],
) -> None:
    """Set ``alive`` where a series has a bucket in the part of a range that raw samples left."""
    raw_from_ms = raw_from(connection, tenant)
    if raw_from_ms is None or within.start_ms >= raw_from_ms:
        return
    for resolution_ms in RESOLUTIONS_MS:
        stored = Range(start_ms=within.start_ms, end_ms=min(within.end_ms, raw_from_ms))
        choice = Choice(resolution_ms=resolution_ms, feed=Feed.LAST)
        plan = RollupPlan(choice=choice, stored=stored, raw=within)
        for segment in _segments(connection, tenant, places, plan, Aggregate.COUNT):
            alive[segment.owners[segment.counts > 0]] = True


def _segments(
    connection: sqlite3.Connection,
    tenant: str,
    places: Places,
    plan: RollupPlan,
    aggregate: Aggregate,
) -> Iterator[Segment]:
    by_part = group_by_part(places.part)
    for chunk_id, part, data in _chunks(connection, tenant, list(by_part), plan, aggregate):
        try:
            block = decode_block(data)
        except CorruptError as error:
            raise StoreError(
                f"rollup {chunk_id} is damaged ({error}): run detectviz series repair",
                retryable=False,
            ) from error
        yield cut(block, by_part[part], places.row, plan.stored)


def _chunks(
    connection: sqlite3.Connection,
    tenant: str,
    parts: list[int],
    plan: RollupPlan,
    aggregate: Aggregate,
) -> Iterator[tuple[int, int, bytes]]:
    for first in range(0, len(parts), _PARTS_PER_QUERY):
        chosen = parts[first : first + _PARTS_PER_QUERY]
        marks = ",".join("?" * len(chosen))
        yield from connection.execute(
            "SELECT id, part, data FROM rollup WHERE tenant = ? AND resolution_ms = ?"  # noqa: S608 - marks only
            f" AND aggregate = ? AND part IN ({marks}) AND max_ms >= ? AND min_ms <= ?"
            " ORDER BY min_ms, id",
            (
                tenant,
                plan.choice.resolution_ms,
                int(aggregate),
                *chosen,
                plan.stored.start_ms,
                plan.stored.end_ms,
            ),
        )


def _fresh_segment(
    fresh: Buckets, chosen: npt.NDArray[np.bool_], aggregate: Aggregate, size: int
) -> Segment:
    return Segment(
        owners=np.arange(size),
        counts=np.bincount(fresh.owners[chosen], minlength=size),
        timestamps_ms=fresh.timestamps_ms[chosen],
        values=fresh.columns[aggregate][chosen],
    )
