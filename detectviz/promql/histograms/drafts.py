"""Histograms taken apart: buckets by index, to be merged, moved and put together again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from detectviz.promql.histograms.buckets import (
    Bucket,
    Spans,
    bucket_indexes,
    exponential_bound,
    negative_buckets,
    positive_buckets,
)
from detectviz.tsdb.histograms import Histogram


@dataclass(frozen=True, slots=True)
class ZeroBucket:
    """A zero bucket widened to ``threshold``, and what it holds then."""

    threshold: float
    count: float


def by_index(spans: Spans, counts: tuple[float, ...]) -> dict[int, float]:
    """Return the count of each bucket."""
    return dict(zip(bucket_indexes(spans), counts, strict=False))


def packed(counts: Mapping[int, float]) -> tuple[Spans, tuple[float, ...]]:
    """Return the spans and counts of the buckets that hold anything."""
    spans: list[list[int]] = []
    kept: list[float] = []
    end = 0
    for index in sorted(counts):
        count = counts[index]
        if count == 0:
            continue
        if spans and index == end:
            spans[-1][1] += 1
        else:
            spans.append([index - end, 1])
        end = index + 1
        kept.append(count)
    return tuple((gap, length) for gap, length in spans), tuple(kept)


def compacted(histogram: Histogram) -> Histogram:
    """Return the histogram without empty buckets and spans."""
    if _is_compact(histogram.positive_spans, histogram.positive) and _is_compact(
        histogram.negative_spans, histogram.negative
    ):
        return histogram
    positive_spans, positive = packed(by_index(histogram.positive_spans, histogram.positive))
    negative_spans, negative = packed(by_index(histogram.negative_spans, histogram.negative))
    return replace(
        histogram,
        positive_spans=positive_spans,
        positive=positive,
        negative_spans=negative_spans,
        negative=negative,
    )


def _is_compact(spans: Spans, counts: tuple[float, ...]) -> bool:
    return (
        0 not in counts and all(length for _, length in spans) and all(gap for gap, _ in spans[1:])
    )


def reduced_index(index: int, schema: int, target: int) -> int:
    """Return the bucket of the coarser schema ``target`` that bucket ``index`` lies in."""
    return ((index - 1) >> (schema - target)) + 1


def reduced(counts: Mapping[int, float], schema: int, target: int) -> dict[int, float]:
    """Merge the buckets of ``schema`` into those of the coarser ``target``."""
    if schema == target:
        return dict(counts)
    merged: dict[int, float] = {}
    for index, count in counts.items():
        place = reduced_index(index, schema, target)
        merged[place] = merged.get(place, 0.0) + count
    return merged


def above(counts: Mapping[int, float], schema: int, threshold: float) -> dict[int, float]:
    """Return the buckets that reach beyond a zero bucket of ``threshold``."""
    return {
        index: count
        for index, count in counts.items()
        if exponential_bound(index, schema) > threshold
    }


def widened_zero(histogram: Histogram, threshold: float) -> ZeroBucket:
    """Return the zero bucket widened to at least ``threshold``.

    It takes in what lies below; a populated bucket it would cut is taken in whole.
    """
    if threshold == histogram.zero_threshold:
        return ZeroBucket(threshold, histogram.zero_count)
    while True:
        count, reached = histogram.zero_count, threshold
        for bucket in positive_buckets(histogram):
            if bucket.lower < threshold:
                count += bucket.count
                reached = _reach(bucket, bucket.upper, reached)
        for bucket in negative_buckets(histogram):
            if -bucket.upper < threshold:
                count += bucket.count
                reached = _reach(bucket, -bucket.lower, reached)
        if reached == threshold:
            return ZeroBucket(threshold, count)
        threshold = reached


def _reach(bucket: Bucket, outer: float, reached: float) -> float:
    return max(outer, reached) if bucket.count != 0 else reached


def same_buckets(one: Histogram, other: Histogram) -> bool:
    """Tell whether two histograms have equal bucket layouts, however their spans are written."""
    return (
        bucket_indexes(one.positive_spans) == bucket_indexes(other.positive_spans)
        and bucket_indexes(one.negative_spans) == bucket_indexes(other.negative_spans)
        and one.custom_values == other.custom_values
    )
