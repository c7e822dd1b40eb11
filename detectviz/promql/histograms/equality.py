"""When two histograms are the same data."""

import struct

from detectviz.promql.histograms.drafts import same_buckets
from detectviz.tsdb.histograms import Histogram


def equal(one: Histogram, other: Histogram) -> bool:
    """Compare layout and counts, the latter bit by bit (so NaN equals NaN).

    Semantics of Prometheus' ``FloatHistogram.Equals``; counter reset hints don't matter.
    """
    if one.schema != other.schema or one.zero_threshold != other.zero_threshold:
        return False
    return same_buckets(one, other) and _bits(one) == _bits(other)


def _bits(histogram: Histogram) -> bytes:
    counts = (
        histogram.count,
        histogram.sum,
        histogram.zero_count,
        *histogram.negative,
        *histogram.positive,
    )
    return struct.pack(f"{len(counts)}d", *counts)
