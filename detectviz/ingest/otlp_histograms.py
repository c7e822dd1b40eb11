"""Exponential histograms as native ones.

OTLP's bucket 0 is (1, base], Prometheus' bucket 0 is (1/base, 1]: indexes move by one. Scales
above 8 are brought down by merging neighbours.
"""

from collections.abc import Sequence
from typing import Any

from detectviz.ingest.native_histograms import MOST_BUCKETS, HistogramError, Spans, check
from detectviz.tsdb.histograms import MAX_SCHEMA, MIN_SCHEMA, Histogram

ZERO_THRESHOLD = 1e-128  # where the sender names none, as Prometheus' OTLP receiver
_WIDEST_GAP = 2  # empty buckets inside of a span cost less than another span


def native_histogram(point: Any) -> Histogram:
    """Return an ExponentialHistogramDataPoint as a native histogram; raise HistogramError."""
    if point.scale < MIN_SCHEMA:
        raise HistogramError(f"scale {point.scale} is coarser than {MIN_SCHEMA}")
    merge = max(0, point.scale - MAX_SCHEMA)
    positive_spans, positive = _layout(point.positive, merge)
    negative_spans, negative = _layout(point.negative, merge)
    histogram = Histogram(
        count=float(point.count),
        sum=point.sum if point.HasField("sum") else 0.0,
        schema=min(point.scale, MAX_SCHEMA),
        zero_threshold=point.zero_threshold or ZERO_THRESHOLD,
        zero_count=float(point.zero_count),
        positive_spans=positive_spans,
        positive=positive,
        negative_spans=negative_spans,
        negative=negative,
    )
    check(histogram)
    return histogram


def _layout(buckets: Any, merge: int) -> tuple[Spans, tuple[float, ...]]:
    counts: Sequence[int] = buckets.bucket_counts
    if len(counts) > MOST_BUCKETS:
        raise HistogramError(f"more than {MOST_BUCKETS} buckets")
    merged: dict[int, float] = {}
    for place, sent in enumerate(counts, buckets.offset):
        if sent:
            index = (place >> merge) + 1
            merged[index] = merged.get(index, 0.0) + sent
    spans: list[tuple[int, int]] = []
    filled: list[float] = []
    behind = 0  # the index after the last bucket of the last span
    for index, count in merged.items():
        gap = index - behind
        if spans and gap <= _WIDEST_GAP:
            spans[-1] = (spans[-1][0], spans[-1][1] + gap + 1)
            filled += [0.0] * gap
        else:
            spans.append((gap, 1))
        filled.append(count)
        behind = index + 1
    return tuple(spans), tuple(filled)
