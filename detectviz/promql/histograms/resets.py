"""Whether a counter histogram was restarted between two samples."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from detectviz.promql.histograms.arithmetic import rebucketed
from detectviz.promql.histograms.blocks import block_of
from detectviz.promql.histograms.buckets import is_custom
from detectviz.promql.histograms.drafts import above, by_index, reduced, widened_zero
from detectviz.tsdb.histograms import CounterReset, Histogram


def is_reset(current: Histogram, previous: Histogram) -> bool:
    """Tell whether any count fell or a populated bucket is gone; a hint decides beforehand.

    A finer schema or a narrower zero bucket can only come with a restart. Semantics of
    Prometheus' ``FloatHistogram.DetectReset``.
    """
    if current.counter_reset is CounterReset.YES:
        return True
    if current.counter_reset is CounterReset.NO:
        return False
    if current.count < previous.count or is_custom(current) != is_custom(previous):
        return True
    if is_custom(current):
        return _custom_fell(current, previous)
    return _exponential_fell(current, previous)


def _custom_fell(current: Histogram, previous: Histogram) -> bool:
    bounds = current.custom_values
    if bounds != previous.custom_values:
        common = set(bounds) & set(previous.custom_values)
        bounds = tuple(one for one in bounds if one in common)
    return _fell(rebucketed(current, bounds), rebucketed(previous, bounds))


def _exponential_fell(current: Histogram, previous: Histogram) -> bool:
    threshold = current.zero_threshold
    if current.schema > previous.schema or threshold < previous.zero_threshold:
        return True
    zero = widened_zero(previous, threshold)
    if zero.threshold != threshold or current.zero_count < zero.count:
        return True
    pairs = (
        (current.positive_spans, current.positive, previous.positive_spans, previous.positive),
        (current.negative_spans, current.negative, previous.negative_spans, previous.negative),
    )
    for spans, counts, old_spans, old_counts in pairs:
        old: Mapping[int, float] = by_index(old_spans, old_counts)
        if threshold != previous.zero_threshold:
            old = above(old, previous.schema, threshold)
        if _fell(by_index(spans, counts), reduced(old, previous.schema, current.schema)):
            return True
    return False


def _fell(current: Mapping[int, float], previous: Mapping[int, float]) -> bool:
    for index, count in previous.items():
        if index not in current:
            if count != 0:
                return True
        elif current[index] < count:
            return True
    return False


def without_hints(samples: Sequence[Histogram | None]) -> list[Histogram | None]:
    """Return samples whose restarts have to be found by comparison; gauges stay gauges."""
    known = (CounterReset.YES, CounterReset.NO)
    return [
        replace(one, counter_reset=CounterReset.UNKNOWN)
        if one is not None and one.counter_reset in known
        else one
        for one in samples
    ]


def resets_between(samples: Sequence[Histogram]) -> list[bool]:
    """Tell, for each sample but the first, whether a counter restarted before it."""
    block = block_of(samples) if samples else None
    if block is not None:
        found: list[bool] = block.resets().tolist()
        return found
    return [is_reset(newer, older) for older, newer in itertools.pairwise(samples)]


def statistics(samples: Sequence[Histogram | None]) -> list[Histogram | None]:
    """Return consecutive samples reduced to count and sum, with restarts found beforehand.

    What only looks at counts and sums needs no buckets, but restarts show in them. Semantics of
    Prometheus' ``HistogramStatsIterator``.
    """
    held = [one for one in samples if one is not None]
    # Of the first nobody knows whether a restart went before.
    known = [CounterReset.UNKNOWN]
    known += [CounterReset.YES if fell else CounterReset.NO for fell in resets_between(held)]
    reduced_to = iter([_statistic(*pair) for pair in zip(held, known, strict=False)])
    return [None if one is None else next(reduced_to) for one in samples]


def _statistic(histogram: Histogram, known: CounterReset) -> Histogram:
    hint = histogram.counter_reset
    return Histogram(
        count=histogram.count,
        sum=histogram.sum,
        schema=histogram.schema,
        counter_reset=known if hint is CounterReset.UNKNOWN else hint,
    )
