"""What is checked of samples before it matters whose they are."""

from dataclasses import dataclass, replace

import numpy as np

from detectviz.tsdb.columns import used
from detectviz.tsdb.histogram_columns import HistogramColumns
from detectviz.tsdb.histogram_validity import histogram_refusal
from detectviz.tsdb.interface import (
    STALE_NAN,
    STALE_NAN_BITS,
    HistogramArray,
    Int64Array,
    SampleColumns,
)
from detectviz.tsdb.labels import OUT_OF_BOUNDS, out_of_bounds
from detectviz.tsdb.optional_columns import is_histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Samples that are possible, and the others.

    ``places`` are the possible ones' places in what came, None when all are; ``refused`` gives a
    reason for each of the others. The value of a histogram is its fingerprint.
    """

    columns: SampleColumns
    places: Int64Array | None
    refused: dict[int, str]


def prepare(columns: SampleColumns) -> Prepared:
    """Leave out samples with impossible times or histograms.

    A histogram whose sum is a stale marker becomes the marker, as all series end alike here.
    """
    refused = dict.fromkeys(out_of_bounds(columns.timestamps_ms), OUT_OF_BOUNDS)
    if columns.start_times_ms is not None:
        refused |= dict.fromkeys(out_of_bounds(columns.start_times_ms), OUT_OF_BOUNDS)
    if columns.histograms is not None:
        refused |= _invalid(columns.histograms)
    places = None
    if refused:
        places = np.delete(np.arange(len(columns)), list(refused))
        columns = used(columns, list(refused))
    return Prepared(columns=_fingerprinted(columns), places=places, refused=refused)


def _invalid(histograms: HistogramArray) -> dict[int, str]:
    places = np.flatnonzero(is_histogram(histograms)).tolist()
    reasons = ((place, histogram_refusal(histograms[place])) for place in places)
    return {place: reason for place, reason in reasons if reason}


def _fingerprinted(columns: SampleColumns) -> SampleColumns:
    if columns.histograms is None:
        return columns
    places = np.flatnonzero(is_histogram(columns.histograms))
    found = HistogramColumns.of(columns.histograms[places].tolist())
    sums = found.numbers[found.offsets[:-1] + 1].view(np.uint64)
    ended = places[sums == STALE_NAN_BITS]
    values, histograms = columns.values.copy(), columns.histograms.copy()
    values[places] = found.fingerprints()
    values[ended], histograms[ended] = STALE_NAN, None
    return replace(columns, values=values, histograms=histograms)
