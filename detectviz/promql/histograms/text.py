"""Histograms as text, for ``count_values``."""

from detectviz.promql.histograms.buckets import (
    Bucket,
    negative_buckets,
    positive_buckets,
    zero_bucket,
)
from detectviz.promql.numbers import format_general
from detectviz.tsdb.histograms import Histogram


def format_histogram(histogram: Histogram) -> str:
    """Return ``{count:3, sum:4, (1,2]:3}`` as Prometheus' ``FloatHistogram.String``."""
    parts = [f"count:{format_general(histogram.count)}", f"sum:{format_general(histogram.sum)}"]
    buckets = list(negative_buckets(histogram))[::-1]
    buckets += [zero_bucket(histogram), *positive_buckets(histogram)]
    parts += [_format(bucket) for bucket in buckets if bucket.count != 0]
    return "{" + ", ".join(parts) + "}"


def _format(bucket: Bucket) -> str:
    opening = "[" if bucket.is_lower_inclusive else "("
    closing = "]" if bucket.is_upper_inclusive else ")"
    lower, upper, count = map(format_general, (bucket.lower, bucket.upper, bucket.count))
    return f"{opening}{lower},{upper}{closing}:{count}"
