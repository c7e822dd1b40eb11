"""What a histogram says of its observations: quantiles, shares, spread.

Semantics of Prometheus' ``promql/quantile.go``: within exponential buckets observations are taken
to be spread evenly on a logarithmic scale, within others on a linear one.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from detectviz.promql.histograms.buckets import Bucket, all_buckets, is_custom
from detectviz.promql.numbers import quotient
from detectviz.promql.summation import compensated_sum
from detectviz.tsdb.histograms import Histogram

_HALF = 0.5


class NanNote(StrEnum):
    """What observations of NaN, which are in no bucket, did to an estimate."""

    NONE = ""
    RESULT = "input to histogram_quantile has NaN observations, result is NaN"
    SKEW = "input to histogram_quantile has NaN observations, result is skewed higher"
    EXCLUDED = (
        "input to histogram_fraction has NaN observations, which are excluded from all fractions"
    )


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and what is to be said about it."""

    value: float
    note: NanNote = NanNote.NONE


def fraction_below(bucket: Bucket, value: float, *, is_linear: bool) -> float:
    """Return which share of a finite bucket lies below ``value``, which lies inside of it."""
    if is_linear:
        return quotient(value - bucket.lower, bucket.upper - bucket.lower)
    lower, upper, at = (_log2(abs(one)) for one in (bucket.lower, bucket.upper, value))
    if value > 0:
        return quotient(at - lower, upper - lower)
    return 1 - quotient(at - upper, lower - upper)


def _log2(value: float) -> float:
    return math.log2(value) if value > 0 else -math.inf


def _exp2(value: float) -> float:
    try:
        return math.exp2(value)
    except OverflowError:
        return math.inf


def _one_sided(bucket: Bucket, histogram: Histogram) -> Bucket:
    """Narrow the zero bucket to the side that has observations, if only one has."""
    if not histogram.negative and histogram.positive:
        return replace(bucket, lower=0.0)
    if not histogram.positive and histogram.negative:
        return replace(bucket, upper=0.0)
    return bucket


def quantile(q: float, histogram: Histogram) -> Estimate:
    """Estimate the ``q`` quantile; -Inf below 0, +Inf above 1, NaN without observations."""
    if q < 0 or q > 1:
        return Estimate(math.copysign(math.inf, q))
    if histogram.count == 0 or math.isnan(q):
        return Estimate(math.nan)
    return _Rank(q, histogram).estimate()


class _Rank:
    """The search for the bucket that holds an observation of some rank.

    From above for high quantiles: counts of many small buckets add up less exactly there.
    """

    def __init__(self, q: float, histogram: Histogram) -> None:
        self.histogram = histogram
        self.has_nan = math.isnan(histogram.sum)
        self.is_ascending = self.has_nan or q < _HALF
        self.rank = (q if self.is_ascending else 1 - q) * histogram.count
        buckets = all_buckets(histogram)
        self.buckets = buckets if self.is_ascending else buckets[::-1]

    def estimate(self) -> Estimate:
        bucket, seen, rest = self._found()
        custom = is_custom(self.histogram)
        if custom and bucket.lower == -math.inf:
            if bucket.upper <= 0:
                return Estimate(bucket.upper)
            bucket = replace(bucket, lower=0.0)
        elif custom and bucket.upper == math.inf:
            return Estimate(bucket.lower)
        elif not custom and bucket.lower < 0 < bucket.upper:
            bucket = _one_sided(bucket, self.histogram)
        seen = min(seen, self.histogram.count)
        if seen < self.rank:
            nothing = Estimate(math.nan, NanNote.RESULT)
            return nothing if self.has_nan else Estimate(bucket.upper)
        above = seen - self.rank
        rank = self.rank - (seen - bucket.count) if self.is_ascending else above
        note = NanNote.NONE
        if self.has_nan and seen + sum(one.count for one in rest) < self.histogram.count:
            note = NanNote.SKEW
        return Estimate(self._inside(bucket, quotient(rank, bucket.count)), note)

    def _found(self) -> tuple[Bucket, float, list[Bucket]]:
        """Return the bucket, how many observations lie up to its end, and the buckets beyond."""
        bucket = Bucket(0.0, 0.0, 0.0, 0, is_lower_inclusive=False, is_upper_inclusive=False)
        seen = 0.0
        for place, bucket in enumerate(self.buckets):
            seen += bucket.count
            if bucket.count != 0 and seen >= self.rank:
                return bucket, seen, self.buckets[place + 1 :]
        return bucket, seen, []

    def _inside(self, bucket: Bucket, share: float) -> float:
        if is_custom(self.histogram) or bucket.lower <= 0 <= bucket.upper:
            return bucket.lower + (bucket.upper - bucket.lower) * share
        lower, upper = _log2(abs(bucket.lower)), _log2(abs(bucket.upper))
        if bucket.lower > 0:
            return _exp2(lower + (upper - lower) * share)
        return -_exp2(upper + (lower - upper) * (1 - share))


def fraction(lower: float, upper: float, histogram: Histogram) -> Estimate:
    """Estimate the share of observations between two bounds."""
    if histogram.count == 0 or math.isnan(lower) or math.isnan(upper):
        return Estimate(math.nan)
    if lower >= upper:
        return Estimate(0.0)
    buckets = all_buckets(histogram)
    counted, note = histogram.count, NanNote.NONE
    if math.isnan(histogram.sum):
        counted = sum(bucket.count for bucket in buckets)
        if counted < histogram.count:
            note = NanNote.EXCLUDED
    ranks = [_rank_of(bound, histogram, buckets) for bound in (lower, upper)]
    low, high = (counted if rank is None else min(rank, counted) for rank in ranks)
    return Estimate((high - low) / histogram.count, note)


def _rank_of(bound: float, histogram: Histogram, buckets: Iterable[Bucket]) -> float | None:
    """Return how many observations lie below ``bound``; None if all buckets do."""
    rank = 0.0
    for found in buckets:
        bucket, is_linear = found, is_custom(histogram)
        if bucket.lower <= 0 <= bucket.upper:
            bucket, is_linear = _one_sided(bucket, histogram), True
        if bucket.lower >= bound:
            return rank
        if bucket.upper > bound:
            if is_linear and bucket.lower == -math.inf:
                return bucket.count
            return rank + bucket.count * fraction_below(bucket, bound, is_linear=is_linear)
        rank += bucket.count
    return None


def variance(histogram: Histogram) -> float:
    """Estimate the variance of the observations, each taken to be in the middle of its bucket."""
    mean = quotient(histogram.sum, histogram.count)
    parts = [
        bucket.count * (_middle(bucket, histogram) - mean) ** 2
        for bucket in all_buckets(histogram)
        if bucket.count != 0
    ]
    return quotient(compensated_sum(parts), histogram.count)


def _middle(bucket: Bucket, histogram: Histogram) -> float:
    if is_custom(histogram):
        return (bucket.upper + bucket.lower) / 2.0
    if bucket.lower <= 0 <= bucket.upper:
        return 0.0
    return math.copysign(math.sqrt(bucket.upper * bucket.lower), bucket.upper)
