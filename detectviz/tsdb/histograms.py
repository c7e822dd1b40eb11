"""Native histograms as values of samples; plugins know them too, so the contracts hold them."""

from detectviz.contracts.histograms import (
    CUSTOM_BUCKETS_SCHEMA,
    MAX_SCHEMA,
    MIN_SCHEMA,
    CounterReset,
    Histogram,
)

__all__ = ["CUSTOM_BUCKETS_SCHEMA", "MAX_SCHEMA", "MIN_SCHEMA", "CounterReset", "Histogram"]
