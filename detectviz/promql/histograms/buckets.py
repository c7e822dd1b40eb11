"""Bounds and order of a native histogram's buckets."""

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from detectviz.tsdb.histograms import CUSTOM_BUCKETS_SCHEMA, Histogram

Spans: TypeAlias = tuple[tuple[int, int], ...]

_LARGEST_EXPONENT = 1024
_SMALLEST_EXPONENT = -1074
_CACHED = 4096


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket with its bounds; which bounds belong to it; ``index`` counts within its sign."""

    lower: float
    upper: float
    count: float
    index: int
    is_lower_inclusive: bool
    is_upper_inclusive: bool


def is_custom(histogram: Histogram) -> bool:
    """Tell whether the buckets have bounds of their own (NHCB) instead of exponential ones."""
    return histogram.schema == CUSTOM_BUCKETS_SCHEMA


@lru_cache(maxsize=_CACHED)
def bucket_indexes(spans: Spans) -> tuple[int, ...]:
    """Return the index of each bucket that ``spans`` name."""
    indexes: list[int] = []
    index = 0
    for gap, length in spans:
        index += gap
        indexes.extend(range(index, index + length))
        index += length
    return tuple(indexes)


@lru_cache(maxsize=_CACHED)
def exponential_bound(index: int, schema: int) -> float:
    """Return the upper bound of bucket ``index``: the largest float at 2^1024, Inf beyond it."""
    if schema < 0:
        exponent, part = index << -schema, 0
    else:
        exponent, part = index >> schema, index & ((1 << schema) - 1)
    if exponent == _LARGEST_EXPONENT and part == 0:
        return sys.float_info.max
    if exponent >= _LARGEST_EXPONENT:
        return math.inf
    if exponent < _SMALLEST_EXPONENT:
        return 0.0
    fraction: float = 2.0 ** (part / (1 << schema)) if part else 1.0
    return math.ldexp(fraction, exponent)


def custom_bound(index: int, bounds: tuple[float, ...]) -> float:
    """Return the upper bound of bucket ``index``; bucket -1 ends at -Inf, the last at +Inf."""
    if index < 0:
        return -math.inf
    return bounds[index] if index < len(bounds) else math.inf


def upper_bound(histogram: Histogram, index: int) -> float:
    """Return the absolute upper bound of bucket ``index`` of a histogram."""
    if is_custom(histogram):
        return custom_bound(index, histogram.custom_values)
    return exponential_bound(index, histogram.schema)


def positive_buckets(histogram: Histogram) -> Iterator[Bucket]:
    """Yield the positive (or custom) buckets, ascending."""
    indexes = bucket_indexes(histogram.positive_spans)
    custom = is_custom(histogram)
    for index, count in zip(indexes, histogram.positive, strict=False):
        lower, upper = upper_bound(histogram, index - 1), upper_bound(histogram, index)
        is_lower_inclusive = index == 0 if custom else lower < 0
        yield Bucket(lower, upper, count, index, is_lower_inclusive, custom or upper > 0)


def negative_buckets(histogram: Histogram) -> Iterator[Bucket]:
    """Yield the negative buckets from the one next to zero downwards."""
    indexes = bucket_indexes(histogram.negative_spans)
    for index, count in zip(indexes, histogram.negative, strict=False):
        lower, upper = -upper_bound(histogram, index), -upper_bound(histogram, index - 1)
        yield Bucket(lower, upper, count, index, lower < 0, upper > 0)


def zero_bucket(histogram: Histogram) -> Bucket:
    """Return the bucket about zero, closed on both sides."""
    threshold = histogram.zero_threshold
    return Bucket(
        -threshold,
        threshold,
        histogram.zero_count,
        0,
        is_lower_inclusive=True,
        is_upper_inclusive=True,
    )


def all_buckets(histogram: Histogram) -> list[Bucket]:
    """Return all buckets ascending: those that overlap the zero bucket are cut at its edge."""
    threshold = histogram.zero_threshold
    found = [_cut(one, threshold) for one in negative_buckets(histogram)][::-1]
    if histogram.zero_count > 0:
        found.append(zero_bucket(histogram))
    found += [_cut(one, threshold) for one in positive_buckets(histogram)]
    return found


def _cut(bucket: Bucket, threshold: float) -> Bucket:
    lower, upper = bucket.lower, bucket.upper
    if 0 < lower < threshold:
        lower = threshold
    elif -threshold < upper < 0:
        upper = -threshold
    else:
        return bucket
    return Bucket(
        lower,
        upper,
        bucket.count,
        bucket.index,
        bucket.is_lower_inclusive,
        bucket.is_upper_inclusive,
    )
