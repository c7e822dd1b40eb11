"""Classic histograms: series of cumulative buckets labelled ``le``, one sample each."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from detectviz.promql.calls import FunctionCall
from detectviz.promql.labels import LabelKey, Labels, label_key, without
from detectviz.promql.numbers import parse_number
from detectviz.promql.quoting import quote
from detectviz.promql.vectors import BoolArray, StepVector
from detectviz.tsdb.interface import METRIC_NAME, Float64Array, Int64Array

_BOUND = "le"
_TOLERANCE = 1e-12


@dataclass(slots=True)
class ClassicHistogram:
    """The buckets of one histogram: upper bounds and rows of the vector they are in."""

    labels: Labels
    buckets: list[tuple[float, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cells:
    """Some histograms and steps whose present buckets are the same.

    ``steps`` int64[cells] are the steps, ``bounds`` float64[buckets] ascend and ``counts``
    float64[cells, buckets] are cumulative.
    """

    places: Int64Array
    steps: Int64Array
    bounds: Float64Array
    counts: Float64Array


@dataclass(frozen=True, slots=True)
class Estimates:
    """Numbers estimated from histograms: float64 and bool [histograms, steps].

    ``is_forced`` bool[histograms] tells which were not monotonic.
    """

    values: Float64Array
    present: BoolArray
    is_forced: BoolArray


Estimator: TypeAlias = Callable[[Cells], tuple[Float64Array, BoolArray]]


def classic_histograms(
    call: FunctionCall, index: int, vector: StepVector
) -> list[ClassicHistogram]:
    """Collect the histograms of a vector of floats; warn of buckets without a valid bound."""
    found: dict[LabelKey, ClassicHistogram] = {}
    used = vector.used.tolist()
    for row, labels in enumerate(vector.labels):
        if not used[row]:
            continue
        text = labels.get(_BOUND, "")
        try:
            bound = parse_number(text)
        except ValueError:
            _warn_bound(call, index, labels, text)
            continue
        rest = without(labels, (_BOUND,))
        histogram = found.setdefault(label_key(rest), ClassicHistogram(rest))
        histogram.buckets.append((bound, row))
    for histogram in found.values():
        histogram.buckets.sort()
    return list(found.values())


def _warn_bound(call: FunctionCall, index: int, labels: Labels, text: str) -> None:
    name = labels.get(METRIC_NAME, "")
    message = f'bucket label "le" is missing or has a malformed value of {quote(text)}'
    if name:
        message += f" for metric name {quote(name)}"
    call.annotations.warn(message, call.node.arguments[index].span)


def estimate(
    call: FunctionCall,
    vector: StepVector,
    histograms: Sequence[ClassicHistogram],
    estimator: Estimator,
) -> Estimates:
    """Apply ``estimator`` to each histogram and step, many of one layout at a time."""
    layouts: dict[tuple[float, ...], list[int]] = {}
    for index, histogram in enumerate(histograms):
        layout = tuple(bound for bound, _ in histogram.buckets)
        layouts.setdefault(layout, []).append(index)
    values = np.full((len(histograms), vector.steps), np.nan)
    present = np.zeros(values.shape, dtype=np.bool_)
    forced = np.zeros(values.shape, dtype=np.bool_)
    for layout, members in layouts.items():
        call.check()
        rows = np.array([[row for _, row in histograms[i].buckets] for i in members])
        present[members] = vector.present[rows].any(axis=1)
        values[members], forced[members] = _of_layout(vector, rows, np.array(layout), estimator)
    return Estimates(values, present, np.asarray(forced.any(axis=1)))


def _of_layout(
    vector: StepVector, rows: Int64Array, bounds: Float64Array, estimator: Estimator
) -> tuple[Float64Array, BoolArray]:
    shape = (len(rows), vector.steps)
    counts = vector.values[rows].transpose(0, 2, 1).reshape(-1, len(bounds))
    present = vector.present[rows].transpose(0, 2, 1).reshape(-1, len(bounds))
    out = np.full(len(counts), np.nan)
    forced = np.zeros(len(counts), dtype=np.bool_)
    for cells in _by_presence(counts, present, bounds, vector.steps):
        out[cells.places], forced[cells.places] = estimator(cells)
    return out.reshape(shape), forced.reshape(shape)


def _by_presence(
    counts: Float64Array, present: BoolArray, bounds: Float64Array, steps: int
) -> Iterator[Cells]:
    complete = present.all(axis=1)
    if complete.any():
        places = np.flatnonzero(complete)
        yield Cells(places, places % steps, bounds, counts[complete])
    partial = np.flatnonzero(present.any(axis=1) & ~complete)
    if not len(partial):
        return
    patterns, which = np.unique(present[partial], axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        places = partial[which.ravel() == number]
        yield Cells(places, places % steps, bounds[pattern], counts[places][:, pattern])


def bucket_quantiles(
    q: Float64Array, bounds: Float64Array, counts: Float64Array
) -> tuple[Float64Array, BoolArray]:
    """Return the ``q[i]`` quantile of cumulative ``counts[i, bucket]``, and whether it was forced.

    ``bounds`` ascends. NaN without a last bound of +Inf, a second bucket or an observation.
    """
    bounds, starts = np.unique(bounds, return_index=True)
    counts, forced = _monotonic(np.add.reduceat(counts, starts, axis=1))
    if len(bounds) < 2 or not math.isinf(bounds[-1]) or bounds[-1] < 0:  # noqa: PLR2004 - see above
        return _outside(q, np.full(len(q), np.nan)), np.zeros(len(q), dtype=np.bool_)
    rank = q * counts[:, -1]
    bucket = (counts[:, :-1] < rank[:, None]).sum(axis=1)
    lower = np.where(bucket > 0, bounds[np.maximum(bucket - 1, 0)], 0.0)
    before = np.where(
        bucket > 0, np.take_along_axis(counts, np.maximum(bucket - 1, 0)[:, None], 1)[:, 0], 0.0
    )
    inside = np.take_along_axis(counts, bucket[:, None], 1)[:, 0] - before
    value = lower + (bounds[bucket] - lower) * ((rank - before) / inside)
    value = np.where((bucket == 0) & (bounds[0] <= 0), bounds[0], value)
    value = np.where(bucket == len(bounds) - 1, bounds[-2], value)
    value = np.where((counts[:, -1] == 0) | np.isnan(counts[:, -1]), np.nan, value)
    return _outside(q, value), forced & ~np.isnan(q) & (q >= 0) & (q <= 1)


def _outside(q: Float64Array, value: Float64Array) -> Float64Array:
    value = np.where(q < 0, -np.inf, np.where(q > 1, np.inf, value))
    return np.where(np.isnan(q), np.nan, value)


def _monotonic(counts: Float64Array) -> tuple[Float64Array, BoolArray]:
    """Raise falling counts to the one before; differences of rounding are not worth a note."""
    fixed = counts.copy()
    forced = np.zeros(len(counts), dtype=np.bool_)
    for bucket in range(1, counts.shape[1]):
        previous, current = fixed[:, bucket - 1], fixed[:, bucket]
        same = np.abs(current - previous) < _TOLERANCE * (np.abs(current) + np.abs(previous))
        falls = (current < previous) & ~same
        forced |= falls
        fixed[:, bucket] = np.where(same | falls, previous, current)
    return fixed, forced


def bucket_fractions(
    lower: Float64Array, upper: Float64Array, bounds: Float64Array, counts: Float64Array
) -> Float64Array:
    """Return the share between ``lower[i]`` and ``upper[i]`` of cumulative ``counts[i, bucket]``.

    ``bounds`` ascends. NaN without a last bound of +Inf or an observation. Semantics of
    Prometheus' ``BucketFraction``.
    """
    bounds, starts = np.unique(bounds, return_index=True)
    counts = np.add.reduceat(counts, starts, axis=1)
    total = counts[:, -1]
    low, high = (np.minimum(_ranks(one, bounds, counts), total) for one in (lower, upper))
    share = np.where(lower >= upper, 0.0, (high - low) / total)
    is_known = (total != 0) & ~np.isnan(lower) & ~np.isnan(upper) & (bounds[-1] == np.inf)
    return np.where(is_known, share, np.nan)


def _ranks(values: Float64Array, bounds: Float64Array, counts: Float64Array) -> Float64Array:
    """Return how many observations lie below each value, by linear interpolation."""
    bucket = np.minimum(bounds.searchsorted(values, "left"), len(bounds) - 1)
    least = 0.0 if bounds[0] > 0 else -np.inf
    lower = np.where(bucket > 0, bounds[np.maximum(bucket - 1, 0)], least)
    upper = bounds[bucket]
    reached = np.take_along_axis(counts, bucket[:, None], 1)[:, 0]
    before = np.take_along_axis(counts, np.maximum(bucket - 1, 0)[:, None], 1)[:, 0]
    before = np.where(bucket > 0, before, 0.0)
    rank = before + (reached - before) * ((values - lower) / (upper - lower))
    rank = np.where(np.isinf(lower) | (values == np.inf), reached, rank)
    return np.where(values <= least, 0.0, rank)
