"""Sums, differences and multiples of histograms."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from detectviz.promql.histograms.buckets import is_custom
from detectviz.promql.histograms.drafts import (
    above,
    by_index,
    packed,
    reduced,
    widened_zero,
)
from detectviz.promql.numbers import quotient
from detectviz.promql.summation import compensated_sum
from detectviz.tsdb.histograms import CounterReset, Histogram

_Terms = dict[int, list[float]]


class IncompatibleSchemasError(ValueError):
    """Histograms of exponential and of custom buckets have no sum."""


@dataclass(frozen=True, slots=True)
class Combined:
    """A sum, and whether custom bounds differed and were reduced to those in common."""

    histogram: Histogram
    is_reconciled: bool = False


def scaled(histogram: Histogram, factor: float) -> Histogram:
    """Multiply everything; a negative multiple is a gauge."""
    hint = CounterReset.GAUGE if factor < 0 else histogram.counter_reset
    return replace(
        histogram,
        count=histogram.count * factor,
        sum=histogram.sum * factor,
        zero_count=histogram.zero_count * factor,
        positive=tuple([one * factor for one in histogram.positive]),
        negative=tuple([one * factor for one in histogram.negative]),
        counter_reset=hint,
    )


def divided(histogram: Histogram, divisor: float) -> Histogram:
    """Divide everything; by zero no buckets remain."""
    if divisor != 0:
        hint = CounterReset.GAUGE if divisor < 0 else histogram.counter_reset
        return replace(
            histogram,
            count=histogram.count / divisor,
            sum=histogram.sum / divisor,
            zero_count=histogram.zero_count / divisor,
            positive=tuple([one / divisor for one in histogram.positive]),
            negative=tuple([one / divisor for one in histogram.negative]),
            counter_reset=hint,
        )
    return replace(
        histogram,
        count=quotient(histogram.count, divisor),
        sum=quotient(histogram.sum, divisor),
        zero_count=quotient(histogram.zero_count, divisor),
        positive_spans=(),
        positive=(),
        negative_spans=(),
        negative=(),
    )


def joint_hint(hints: Iterable[CounterReset]) -> CounterReset:
    """Return the hint of a sum: gauge if any is, what all agree on, else unknown."""
    found = set(hints)
    if CounterReset.GAUGE in found:
        return CounterReset.GAUGE
    return found.pop() if len(found) == 1 else CounterReset.UNKNOWN


def is_conflict(hints: Iterable[CounterReset]) -> bool:
    """Tell whether some histograms say that there was a reset and some that there was none."""
    found = set(hints)
    return CounterReset.YES in found and CounterReset.NO in found


def subtracted(histogram: Histogram, other: Histogram) -> Combined:
    """Return the difference, marked as ``total`` marks a sum; IncompatibleSchemasError."""
    hint = joint_hint((histogram.counter_reset, other.counter_reset))
    difference = total((histogram, scaled(other, -1.0)))
    return replace(difference, histogram=replace(difference.histogram, counter_reset=hint))


def mean(histograms: Sequence[Histogram]) -> Combined:
    """Return the average, which doesn't overflow where its parts don't."""
    size = float(len(histograms))
    found = total(histograms)
    if not _overflows(found.histogram) or any(map(_overflows, histograms)):
        return replace(found, histogram=divided(found.histogram, size))
    return total([divided(one, size) for one in histograms])


def _overflows(histogram: Histogram) -> bool:
    counts = (histogram.count, histogram.sum, histogram.zero_count)
    return any(map(math.isinf, (*counts, *histogram.positive, *histogram.negative)))


def total(histograms: Sequence[Histogram]) -> Combined:
    """Add histograms with compensated sums; the result is compact.

    Schemas are reduced to the coarsest, zero buckets widened to the widest, custom bounds
    reduced to those in common. Raise IncompatibleSchemasError when exponential and custom
    buckets meet. Semantics of Prometheus' ``FloatHistogram.KahanAdd``.
    """
    custom = [is_custom(one) for one in histograms]
    if any(custom) and not all(custom):
        raise IncompatibleSchemasError
    return _custom_total(histograms) if custom[0] else Combined(_exponential_total(histograms))


def _custom_total(histograms: Sequence[Histogram]) -> Combined:
    bounds = histograms[0].custom_values
    is_reconciled = any(one.custom_values != bounds for one in histograms)
    if is_reconciled:
        common = set(bounds).intersection(*(one.custom_values for one in histograms))
        bounds = tuple(one for one in bounds if one in common)
    terms: _Terms = {}
    for one in histograms:
        _collect(terms, rebucketed(one, bounds))
    spans, counts = packed(_sums(terms))
    return Combined(_sum(histograms, bounds, (spans, counts)), is_reconciled)


def rebucketed(histogram: Histogram, bounds: tuple[float, ...]) -> dict[int, float]:
    """Return the counts of custom buckets merged into those of ``bounds``, a subset of theirs."""
    counts = by_index(histogram.positive_spans, histogram.positive)
    if bounds == histogram.custom_values:
        return counts
    merged: dict[int, float] = {}
    places = _places(histogram.custom_values, bounds)
    for index, count in counts.items():
        merged[places[index]] = merged.get(places[index], 0.0) + count
    return merged


def _places(bounds: tuple[float, ...], target: tuple[float, ...]) -> list[int]:
    """Return, per bucket, the first one of ``target`` that reaches as far."""
    places: list[int] = []
    place = 0
    for bound in bounds:
        while place < len(target) and target[place] < bound:
            place += 1
        places.append(place)
    return [*places, len(target)]


def _exponential_total(histograms: Sequence[Histogram]) -> Histogram:
    schema = min(one.schema for one in histograms)
    threshold = _common_threshold(histograms)
    positive: _Terms = {}
    negative: _Terms = {}
    zero_counts: list[float] = []
    for one in histograms:
        zero_counts.append(widened_zero(one, threshold).count)
        is_widened = one.zero_threshold != threshold
        for terms, spans, counts in (
            (positive, one.positive_spans, one.positive),
            (negative, one.negative_spans, one.negative),
        ):
            found: Mapping[int, float] = by_index(spans, counts)
            if is_widened:
                found = above(found, one.schema, threshold)
            _collect(terms, reduced(found, one.schema, schema))
    negative_spans, negative_counts = packed(_sums(negative))
    return replace(
        _sum(histograms, (), packed(_sums(positive))),
        schema=schema,
        zero_threshold=threshold,
        zero_count=compensated_sum(zero_counts),
        negative_spans=negative_spans,
        negative=negative_counts,
    )


def _common_threshold(histograms: Sequence[Histogram]) -> float:
    """Return the smallest threshold no histogram's zero bucket or populated bucket is cut by."""
    threshold = max(one.zero_threshold for one in histograms)
    while True:
        wanted = max(widened_zero(one, threshold).threshold for one in histograms)
        if wanted == threshold:
            return threshold
        threshold = wanted


def _sum(
    histograms: Sequence[Histogram],
    bounds: tuple[float, ...],
    positive: tuple[tuple[tuple[int, int], ...], tuple[float, ...]],
) -> Histogram:
    return Histogram(
        count=compensated_sum([one.count for one in histograms]),
        sum=compensated_sum([one.sum for one in histograms]),
        schema=histograms[0].schema,
        positive_spans=positive[0],
        positive=positive[1],
        custom_values=bounds,
        counter_reset=joint_hint(one.counter_reset for one in histograms),
    )


def _collect(terms: _Terms, counts: Mapping[int, float]) -> None:
    for index, count in counts.items():
        terms.setdefault(index, []).append(count)


def _sums(terms: _Terms) -> dict[int, float]:
    return {
        index: counts[0] if len(counts) == 1 else compensated_sum(counts)
        for index, counts in terms.items()
    }
