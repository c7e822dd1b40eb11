"""Rollups: what is kept of raw samples for long ranges, and when it answers.

A bucket of resolution R ends at a multiple of R and holds the samples of ``(end - R, end]``, as a
PromQL window would. Of each bucket and series there is one time, that of its last sample, and the
aggregates below. So a window whose ends are multiples of R holds exactly the buckets that consist
of its samples, and ``rate`` still sees true times.

Stale markers count as no value; a bucket whose last sample is one says so by the sign of its
count. Native histograms have no rollups: they are always answered raw.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.interface import (
    STALE_NAN,
    STALE_NAN_BITS,
    Float64Array,
    Int64Array,
    SelectHints,
)

FINE_MS = 300_000
COARSE_MS = 3_600_000
RESOLUTIONS_MS = (FINE_MS, COARSE_MS)
_FINE_ENOUGH = 5  # steps are at least this many buckets long where raw samples would do as well
_WINDOW_BUCKETS = 4
_FEWEST_BUCKETS = 3  # a rate needs two samples


class Aggregate(IntEnum):
    """One column of the buckets; the numbers are in the database."""

    COUNT = 0  # -1 - count when the bucket ends with a stale marker
    SUM = 1
    MIN = 2
    MAX = 3
    FIRST = 4
    LAST = 5
    INCREASE = 6  # from the first to the last sample, counter resets made good


class Feed(IntEnum):
    """What a PromQL function gets out of the columns."""

    MARKED_LAST = 0  # the last value, or the stale marker the bucket ends with
    LAST = 1
    SUM = 2
    MIN = 3
    MAX = 4
    MEAN = 5
    COUNTER = 6  # a counter without resets


COLUMNS: Mapping[Feed, tuple[Aggregate, ...]] = {
    Feed.MARKED_LAST: (Aggregate.LAST, Aggregate.COUNT),
    Feed.LAST: (Aggregate.LAST, Aggregate.COUNT),
    Feed.SUM: (Aggregate.SUM, Aggregate.COUNT),
    Feed.MIN: (Aggregate.MIN, Aggregate.COUNT),
    Feed.MAX: (Aggregate.MAX, Aggregate.COUNT),
    Feed.MEAN: (Aggregate.SUM, Aggregate.COUNT),
    Feed.COUNTER: (Aggregate.FIRST, Aggregate.LAST, Aggregate.INCREASE, Aggregate.COUNT),
}
# What is not here is computed from raw samples only: it depends on each of them.
FEEDS: Mapping[str, Feed] = {
    "": Feed.MARKED_LAST,
    "avg_over_time": Feed.MEAN,
    "delta": Feed.LAST,
    "deriv": Feed.LAST,
    "increase": Feed.COUNTER,
    "last_over_time": Feed.LAST,
    "max_over_time": Feed.MAX,
    "min_over_time": Feed.MIN,
    "predict_linear": Feed.LAST,
    "present_over_time": Feed.LAST,
    "rate": Feed.COUNTER,
    "sum_over_time": Feed.SUM,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which rollups answer, and what is made of them."""

    resolution_ms: int
    feed: Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Buckets series after series: ``owners`` and ``timestamps_ms`` ascend together."""

    owners: Int64Array
    timestamps_ms: Int64Array
    columns: Mapping[Aggregate, Float64Array]


def choose(
    hints: SelectHints | None,
    *,
    start_ms: int,
    raw_from_ms: int | None,
    rollups_from_ms: Mapping[int, int],
) -> Choice | None:
    """Say which rollups answer a selection, or None for raw samples.

    While raw samples reach back to ``start_ms``, rollups answer only where nobody sees the
    difference: steps of at least 5 buckets and windows of at least 4; the coarsest such wins.
    Where they do not (``raw_from_ms`` is the earliest time they are whole from), steps of one
    bucket and windows of three are enough (of four for a single moment), and the finest such
    wins that reaches back as far as any; ``rollups_from_ms`` is how far by resolution.
    """
    feed = FEEDS.get(hints.function) if hints else None
    if hints is None or feed is None:
        return None
    if raw_from_ms is None or start_ms >= raw_from_ms:
        fitting = [one for one in rollups_from_ms if _is_unseen(hints, one)]
    else:
        fitting = _farthest(hints, start_ms, rollups_from_ms)
    return Choice(resolution_ms=max(fitting), feed=feed) if fitting else None


def bucket_end(timestamp_ms: int, resolution_ms: int) -> int:
    """Return the end of the bucket a time belongs to."""
    return -(-timestamp_ms // resolution_ms) * resolution_ms


def roll_up(
    owners: Int64Array, timestamps_ms: Int64Array, values: Float64Array, resolution_ms: int
) -> Buckets:
    """Aggregate samples that are ordered by owner and time."""
    if not len(owners):
        empty = np.empty(0)
        return Buckets(
            owners=owners, timestamps_ms=timestamps_ms, columns=dict.fromkeys(Aggregate, empty)
        )
    bucket = -(-timestamps_ms // resolution_ms)
    begins = np.ones(len(owners), np.bool_)
    begins[1:] = (np.diff(owners) != 0) | (np.diff(bucket) != 0)
    starts = np.flatnonzero(begins)
    lasts = np.append(starts[1:], len(owners)) - 1
    stale = values.view(np.uint64) == STALE_NAN_BITS
    counts = np.add.reduceat(~stale, starts, dtype=np.float64)
    place = np.arange(len(owners))
    first = np.minimum.reduceat(np.where(stale, len(owners) - 1, place), starts)
    last = np.maximum.reduceat(np.where(stale, 0, place), starts)
    known = np.where(stale, np.nan, values)
    columns = {
        Aggregate.COUNT: np.where(stale[lasts], -1 - counts, counts),
        Aggregate.SUM: np.add.reduceat(np.where(stale, 0.0, values), starts),
        Aggregate.MIN: np.fmin.reduceat(known, starts),
        Aggregate.MAX: np.fmax.reduceat(known, starts),
        Aggregate.FIRST: known[first],
        Aggregate.LAST: known[last],
        Aggregate.INCREASE: _increases(begins, starts, stale, values),
    }
    return Buckets(owners=owners[starts], timestamps_ms=timestamps_ms[lasts], columns=columns)


def feed_values(
    feed: Feed, columns: Mapping[Aggregate, Float64Array], offsets: Int64Array
) -> Float64Array:
    """Return one value per bucket; buckets without any value are stale markers.

    Series ``i`` owns ``offsets[i]:offsets[i + 1]`` of every column.
    """
    marked = columns[Aggregate.COUNT]
    is_marked = marked < 0
    counts = np.where(is_marked, -1 - marked, marked)
    if feed is Feed.COUNTER:
        values = _counter(columns, counts, offsets)
    elif feed is Feed.MEAN:
        values = columns[Aggregate.SUM] / np.maximum(counts, 1)
    else:
        values = columns[COLUMNS[feed][0]]
    missing = (counts == 0) | (is_marked if feed is Feed.MARKED_LAST else False)
    return np.where(missing, STALE_NAN, values)


def _is_unseen(hints: SelectHints, resolution_ms: int) -> bool:
    return hints.step_ms >= _FINE_ENOUGH * resolution_ms and (
        not hints.function or hints.window_ms >= _WINDOW_BUCKETS * resolution_ms
    )


def _farthest(hints: SelectHints, start_ms: int, rollups_from_ms: Mapping[int, int]) -> list[int]:
    reach = {one: from_ms for one, from_ms in rollups_from_ms.items() if _is_possible(hints, one)}
    wanted = max(start_ms, min(reach.values(), default=start_ms) + COARSE_MS)
    return [min(one for one, from_ms in reach.items() if from_ms <= wanted)] if reach else []


def _is_possible(hints: SelectHints, resolution_ms: int) -> bool:
    buckets = _FEWEST_BUCKETS if hints.step_ms else _WINDOW_BUCKETS
    return (not hints.step_ms or hints.step_ms >= resolution_ms) and (
        not hints.function or hints.window_ms >= buckets * resolution_ms
    )


def _increases(
    begins: npt.NDArray[np.bool_],
    starts: Int64Array,
    stale: npt.NDArray[np.bool_],
    values: Float64Array,
) -> Float64Array:
    known = np.flatnonzero(~stale)
    grown = np.zeros(len(values))
    if len(known) > 1:
        bucket = np.cumsum(begins)[known]
        rise = np.diff(values[known])
        rise = np.where(rise < 0, values[known[1:]], rise)
        grown[known[1:]] = np.where(np.diff(bucket) == 0, rise, 0.0)
    return np.add.reduceat(grown, starts)


def _counter(
    columns: Mapping[Aggregate, Float64Array], counts: Float64Array, offsets: Int64Array
) -> Float64Array:
    """Add up what the counter grew by, within buckets and from one to the next."""
    known = np.flatnonzero(counts > 0)
    first, last = columns[Aggregate.FIRST][known], columns[Aggregate.LAST][known]
    grown = columns[Aggregate.INCREASE][known].copy()
    between = np.zeros(len(known))
    between[1:] = first[1:] - last[:-1]
    between[1:] = np.where(between[1:] < 0, first[1:], between[1:])
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[known]
    begins = np.ones(len(known), np.bool_)
    begins[1:] = np.diff(owner) != 0
    grown += between
    grown[begins] = last[begins]
    total = np.full(len(counts), np.nan)
    total[known] = _running_sums(grown, begins)
    return total


def _running_sums(values: Float64Array, begins: npt.NDArray[np.bool_]) -> Float64Array:
    """Add up within each stretch; sums of one never touch those of another."""
    sums = np.empty(len(values))
    for stretch in np.split(np.arange(len(values)), np.flatnonzero(begins)[1:]):
        sums[stretch] = np.cumsum(values[stretch])
    return sums
