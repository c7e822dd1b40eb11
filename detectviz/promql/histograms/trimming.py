"""Histograms cut at a value: what PromQL's ``</`` and ``>/`` do.

Semantics of Prometheus' ``FloatHistogram.TrimBuckets``: a bucket that the value lies in is split
as for quantiles, and if anything was cut, the sum is estimated anew from the middles of what is
left.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from detectviz.promql.histograms.buckets import (
    Bucket,
    is_custom,
    negative_buckets,
    positive_buckets,
    zero_bucket,
)
from detectviz.promql.histograms.drafts import packed
from detectviz.promql.histograms.estimates import fraction_below
from detectviz.promql.numbers import quotient
from detectviz.tsdb.histograms import Histogram


@dataclass(frozen=True, slots=True)
class _Part:
    """What is left of a bucket, and the middle of its observations."""

    count: float
    middle: float


def trimmed(histogram: Histogram, limit: float, *, keeps_lower: bool) -> Histogram:
    """Keep the observations below ``limit``, or those above it."""
    return _Cut(histogram, limit, keeps_lower=keeps_lower).run()


class _Cut:
    def __init__(self, histogram: Histogram, limit: float, *, keeps_lower: bool) -> None:
        self.histogram = histogram
        self.limit = limit
        self.keeps_lower = keeps_lower
        self.is_custom = is_custom(histogram)
        self.count = 0.0
        self.sum = 0.0
        self.is_changed = False

    def run(self) -> Histogram:
        histogram = self.histogram
        positive = self._side(positive_buckets(histogram), is_positive=True)
        negative = self._side(negative_buckets(histogram), is_positive=False)
        zero_count = histogram.zero_count
        if zero_count > 0:
            zero_count = self._kept(
                zero_count, self._zero(has_negative=bool(negative), has_positive=bool(positive))
            )
        if not self.is_changed:
            return histogram
        positive_spans, positive_counts = packed(positive)
        negative_spans, negative_counts = packed(negative)
        return replace(
            histogram,
            count=self.count,
            sum=self.sum,
            zero_count=zero_count,
            positive_spans=positive_spans,
            positive=positive_counts,
            negative_spans=negative_spans,
            negative=negative_counts,
        )

    def _side(self, buckets: Iterable[Bucket], *, is_positive: bool) -> dict[int, float]:
        return {
            bucket.index: self._kept(bucket.count, self._part(bucket, is_positive=is_positive))
            for bucket in buckets
            if bucket.count != 0
        }

    def _kept(self, before: float, part: _Part) -> float:
        self.count += part.count
        self.sum += part.middle * part.count
        self.is_changed |= part.count != before
        return part.count

    def _part(self, bucket: Bucket, *, is_positive: bool) -> _Part:
        limit = self.limit
        inside = bucket.upper <= limit if self.keeps_lower else bucket.lower >= limit
        if inside:
            middle = self._middle(bucket.lower, bucket.upper, is_positive=is_positive)
            return _Part(bucket.count, middle)
        outside = bucket.lower >= limit if self.keeps_lower else bucket.upper <= limit
        if outside or math.isnan(limit):
            return _Part(0.0, 0.0)
        if math.isinf(bucket.lower) or math.isinf(bucket.upper):
            return self._endless(bucket)
        below = bucket.count * fraction_below(bucket, limit, is_linear=self.is_custom)
        if self.keeps_lower:
            middle = self._middle(bucket.lower, limit, is_positive=is_positive)
            return _Part(below, middle)
        middle = self._middle(limit, bucket.upper, is_positive=is_positive)
        return _Part(bucket.count - below, middle)

    def _endless(self, bucket: Bucket) -> _Part:
        """Split a bucket without an end, of which nobody knows how it is filled.

        One from -Inf to a positive bound is taken to start at zero; else the part towards the
        infinity is kept whole above, and given up below.
        """
        limit = self.limit
        if bucket.lower != -math.inf:
            return _Part(0.0, 0.0) if self.keeps_lower else _Part(bucket.count, limit)
        if math.isinf(bucket.upper):
            return _Part(0.0, 0.0)
        if self.keeps_lower:
            if bucket.upper <= 0:
                return _Part(bucket.count, limit)
            if limit > 0:
                return _Part(bucket.count * limit / bucket.upper, limit / 2)
        elif limit >= 0:
            share = 1 - limit / bucket.upper
            return _Part(bucket.count * share, (limit + bucket.upper) / 2)
        return _Part(0.0, 0.0)

    def _middle(self, lower: float, upper: float, *, is_positive: bool) -> float:
        if math.isinf(lower):
            if math.isinf(upper):
                return 0.0
            return upper / 2 if upper > 0 else upper
        if math.isinf(upper):
            return lower
        if self.is_custom:
            return (lower + upper) / 2
        middle = math.sqrt(abs(lower * upper))
        return middle if is_positive else -middle

    def _zero(self, *, has_negative: bool, has_positive: bool) -> _Part:
        bucket = zero_bucket(self.histogram)
        upper = 0.0 if has_negative and not has_positive else bucket.upper
        lower = 0.0 if has_positive and not has_negative else bucket.lower
        at_end = self.limit >= upper if self.keeps_lower else self.limit <= lower
        beyond = self.limit <= lower if self.keeps_lower else self.limit >= upper
        if beyond and self.keeps_lower:
            return _Part(0.0, 0.0)
        if at_end:
            return _Part(bucket.count, (lower + upper) / 2)
        if beyond:
            return _Part(0.0, 0.0)
        start, end = (lower, self.limit) if self.keeps_lower else (self.limit, upper)
        share = quotient(end - start, upper - lower)
        return _Part(bucket.count * share, (start + end) / 2)
