"""What a histogram counts for in a query's budget of samples."""

import numpy as np

from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import HistogramArray, Int64Array

_FIXED_BYTES = 168 + 8  # the fields themselves and the time
_BYTES_PER_SAMPLE = 16


def weight(histogram: Histogram) -> int:
    """Return how many float samples a histogram counts for, as Prometheus reckons it."""
    parts = (
        histogram.positive_spans, histogram.positive, histogram.negative_spans,
        histogram.negative, histogram.custom_values,
    )  # fmt: skip
    return (_FIXED_BYTES + 8 * sum(map(len, parts))) // _BYTES_PER_SAMPLE


def weights(histograms: HistogramArray) -> Int64Array:
    """Return the weight of each place; 1 where no histogram is."""
    flat = [1 if one is None else weight(one) for one in histograms.ravel().tolist()]
    return np.array(flat, dtype=np.int64).reshape(histograms.shape)
