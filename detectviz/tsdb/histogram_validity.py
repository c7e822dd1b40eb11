"""Which native histograms may be stored: Prometheus' ``FloatHistogram.Validate``, in its words."""

from functools import lru_cache
from itertools import pairwise
from math import isfinite

from detectviz.tsdb.histogram_columns import Spans
from detectviz.tsdb.histograms import (
    CUSTOM_BUCKETS_SCHEMA,
    MAX_SCHEMA,
    MIN_SCHEMA,
    Histogram,
)

_MAX_BUCKETS = 10_000
_MAX_BUCKET = 1 << 30


def histogram_refusal(one: Histogram) -> str | None:
    """Say why no sample may be this histogram, or None when it may."""
    is_custom = one.schema == CUSTOM_BUCKETS_SCHEMA
    reason = (
        _spans_refusal(one.positive_spans, len(one.positive), "positive")
        or _spans_refusal(one.negative_spans, len(one.negative), "negative")
        or (_custom_refusal(one) if is_custom else _exponential_refusal(one))
    )
    if reason:
        return reason
    least = min(min(one.positive, default=0.0), min(one.negative, default=0.0), one.zero_count)
    return "histogram has a bucket whose observation count is negative" if least < 0 else None


def _exponential_refusal(one: Histogram) -> str | None:
    if not MIN_SCHEMA <= one.schema <= MAX_SCHEMA:
        return (
            f"histogram has an invalid schema, which must be between {MIN_SCHEMA} and {MAX_SCHEMA}"
        )
    if one.custom_values:
        return "histogram with exponential schema must not have custom bounds"
    return None


def _custom_refusal(one: Histogram) -> str | None:
    if one.negative_spans or one.negative:
        return "custom buckets: must not have negative buckets"
    if one.zero_count or one.zero_threshold:
        return "custom buckets: must have zero count and threshold of 0"
    return _bounds_refusal(one.custom_values, one.positive_spans)


@lru_cache(maxsize=4096)
def _bounds_refusal(bounds: tuple[float, ...], spans: Spans) -> str | None:
    if not all(map(isfinite, bounds)):
        return "histogram custom bounds must be finite"
    if any(bound <= before for before, bound in pairwise(bounds)):
        return "histogram custom bounds must be in strictly increasing order"
    if sum(gap + length for gap, length in spans) > len(bounds) + 1:
        return f"only {len(bounds)} custom bounds defined, which is not enough"
    return None


@lru_cache(maxsize=4096)
def _spans_refusal(spans: Spans, buckets: int, side: str) -> str | None:
    if any(length < 0 for _, length in spans):
        return f"{side} side: span with a negative length"
    if any(gap < 0 for gap, _ in spans[1:]):
        return f"{side} side: span whose offset is negative"
    if sum(length for _, length in spans) != buckets:
        return f"{side} side: spans need other than the {buckets} buckets given"
    if buckets > _MAX_BUCKETS:
        return f"{side} side: {buckets} buckets are more than {_MAX_BUCKETS}"
    if sum(abs(gap) + length for gap, length in spans) > _MAX_BUCKET:
        return f"{side} side: bucket numbers beyond {_MAX_BUCKET}"
    return None
