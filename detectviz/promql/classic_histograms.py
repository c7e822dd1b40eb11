"""Quantiles of classic histograms: series of cumulative buckets labelled ``le``."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from detectviz.promql.calls import FunctionCall, Implementation
from detectviz.promql.functions_ranges import warn_bad_quantiles
from detectviz.promql.labels import LabelKey, Labels, label_key, without
from detectviz.promql.numbers import parse_number
from detectviz.promql.quoting import quote
from detectviz.promql.vectors import BoolArray, StepVector, Value, empty_vector
from detectviz.tsdb.interface import METRIC_NAME, Float64Array, Int64Array

_BOUND = "le"
_TOLERANCE = 1e-12
_NOT_MONOTONIC = (
    "input to histogram_quantile needed to be fixed for monotonicity (see "
    "https://prometheus.io/docs/practices/histograms/#errors-of-quantile-calculation)"
)


@dataclass(slots=True)
class _Histogram:
    labels: Labels
    buckets: list[tuple[float, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Places of some histograms and steps whose present buckets are the same."""

    places: Int64Array
    bounds: Float64Array
    counts: Float64Array


def histogram_quantile(call: FunctionCall) -> Value:
    """Compute a quantile per histogram and step (Prometheus' ``BucketQuantile``)."""
    q, vector = call.scalar(0), call.vector(1)
    warn_bad_quantiles(call, q)
    histograms = _grouped(call, vector)
    if not histograms:
        return empty_vector(vector.steps)
    layouts: dict[tuple[float, ...], list[int]] = {}
    for index, histogram in enumerate(histograms):
        histogram.buckets.sort()
        layout = tuple(bound for bound, _ in histogram.buckets)
        layouts.setdefault(layout, []).append(index)
    values = np.full((len(histograms), vector.steps), np.nan)
    present = np.zeros(values.shape, dtype=np.bool_)
    for layout, members in layouts.items():
        call.check()
        rows = np.array([[row for _, row in histograms[i].buckets] for i in members])
        found, forced = _layout_quantiles(q, vector, rows, np.array(layout))
        values[members], present[members] = found, vector.present[rows].any(axis=1)
        for place in np.flatnonzero(forced).tolist():
            name = histograms[members[place]].labels.get(METRIC_NAME, "")
            call.annotations.inform(
                f"{_NOT_MONOTONIC} for metric name {quote(name)}", call.node.arguments[1].span
            )
    return StepVector(
        labels=tuple(histogram.labels for histogram in histograms),
        values=values,
        present=present,
        drop_name=np.ones(len(histograms), dtype=np.bool_),
    )


def _grouped(call: FunctionCall, vector: StepVector) -> list[_Histogram]:
    found: dict[LabelKey, _Histogram] = {}
    used = vector.used.tolist()
    for row, labels in enumerate(vector.labels):
        if not used[row]:
            continue
        text = labels.get(_BOUND, "")
        try:
            bound = parse_number(text)
        except ValueError:
            _warn_bound(call, labels, text)
            continue
        rest = without(labels, (_BOUND,))
        histogram = found.setdefault(label_key(rest), _Histogram(rest))
        histogram.buckets.append((bound, row))
    return list(found.values())


def _warn_bound(call: FunctionCall, labels: Labels, text: str) -> None:
    name = labels.get(METRIC_NAME, "")
    message = (
        f'bucket label "le" is missing or has a malformed value of {quote(text)} '
        f"for metric name {quote(name)}"
    )
    call.annotations.warn(message, call.node.arguments[1].span)


def _layout_quantiles(
    q: Float64Array, vector: StepVector, rows: Int64Array, bounds: Float64Array
) -> tuple[Float64Array, BoolArray]:
    """Return float64[histograms, steps], and which histograms were not monotonic."""
    members, steps = len(rows), vector.steps
    counts = vector.values[rows].transpose(0, 2, 1).reshape(-1, len(bounds))
    present = vector.present[rows].transpose(0, 2, 1).reshape(-1, len(bounds))
    wanted = np.broadcast_to(q, (members, steps)).ravel()
    out = np.full(members * steps, np.nan)
    forced = np.zeros(members * steps, dtype=np.bool_)
    for cells in _by_presence(counts, present, bounds):
        out[cells.places], forced[cells.places] = bucket_quantiles(
            wanted[cells.places], cells.bounds, cells.counts
        )
    shape = (members, steps)
    return out.reshape(shape), np.asarray(forced.reshape(shape).any(axis=1))


def _by_presence(
    counts: Float64Array, present: BoolArray, bounds: Float64Array
) -> Iterator[_Cells]:
    complete = present.all(axis=1)
    if complete.any():
        yield _Cells(np.flatnonzero(complete), bounds, counts[complete])
    partial = np.flatnonzero(present.any(axis=1) & ~complete)
    if not len(partial):
        return
    patterns, which = np.unique(present[partial], axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        places = partial[which.ravel() == number]
        yield _Cells(places, bounds[pattern], counts[places][:, pattern])


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


HISTOGRAM_FUNCTIONS: dict[str, Implementation] = {"histogram_quantile": histogram_quantile}
