"""Histograms made up for tests."""

from hypothesis import strategies as st

from detectviz.promql.histograms.drafts import packed
from detectviz.tsdb.histograms import CUSTOM_BUCKETS_SCHEMA, CounterReset, Histogram

_COUNTS = st.integers(0, 50).map(float)
HINTS = st.sampled_from([CounterReset.UNKNOWN, CounterReset.UNKNOWN, *CounterReset])


def exponential(
    positive: dict[int, float],
    negative: dict[int, float] | None = None,
    *,
    schema: int = 0,
    zero: float = 0.0,
    threshold: float = 0.0,
    hint: CounterReset = CounterReset.UNKNOWN,
) -> Histogram:
    """Return a histogram whose count fits its buckets."""
    below = negative or {}
    positive_spans, positive_counts = packed(positive)
    negative_spans, negative_counts = packed(below)
    return Histogram(
        count=sum(positive.values()) + sum(below.values()) + zero,
        sum=sum(index * count for index, count in positive.items()),
        schema=schema,
        zero_threshold=threshold,
        zero_count=zero,
        positive_spans=positive_spans,
        positive=positive_counts,
        negative_spans=negative_spans,
        negative=negative_counts,
        counter_reset=hint,
    )


def custom(
    bounds: tuple[float, ...],
    counts: tuple[float, ...],
    *,
    hint: CounterReset = CounterReset.UNKNOWN,
) -> Histogram:
    """Return a histogram with these upper bounds, and counts up to that of +Inf."""
    spans, kept = packed(dict(enumerate(counts)))
    return Histogram(
        count=sum(counts),
        sum=1.5 * sum(counts),
        schema=CUSTOM_BUCKETS_SCHEMA,
        positive_spans=spans,
        positive=kept,
        custom_values=bounds,
        counter_reset=hint,
    )


_SIDE = st.dictionaries(st.integers(-4, 8), _COUNTS, max_size=6)
# Of one layout: what may differ between samples is which buckets hold how much.
ALIKE = st.builds(
    lambda positive, negative, zero, hint: exponential(
        positive, negative, schema=1, zero=zero, threshold=0.01, hint=hint
    ),
    _SIDE,
    _SIDE,
    _COUNTS,
    HINTS,
)
