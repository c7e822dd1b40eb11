from dataclasses import replace

import numpy as np
import pytest

from detectviz.testing.tsdb import CUSTOM, EXPONENTIAL
from detectviz.tsdb.histogram_columns import HistogramColumns
from detectviz.tsdb.histogram_validity import histogram_refusal
from detectviz.tsdb.histograms import CounterReset, Histogram


def fingerprints(*histograms: Histogram) -> list[int]:
    found = HistogramColumns.of(histograms).fingerprints()
    return [int(bits) for bits in found.view(np.uint64)]


def test_spans_cut_otherwise_and_hints_do_not_make_another_histogram() -> None:
    joined = replace(EXPONENTIAL, positive_spans=((0, 1), (0, 1), (0, 0), (1, 2)))
    hinted = replace(EXPONENTIAL, counter_reset=CounterReset.YES)
    assert len(set(fingerprints(EXPONENTIAL, joined, hinted))) == 1


@pytest.mark.parametrize(
    "other",
    [
        replace(EXPONENTIAL, count=22.0),
        replace(EXPONENTIAL, sum=-18.4),
        replace(EXPONENTIAL, schema=2),
        replace(EXPONENTIAL, zero_threshold=0.01),
        replace(EXPONENTIAL, zero_count=3.0),
        replace(EXPONENTIAL, positive=(2.0, 1.0, 7.0, 1.0)),
        replace(EXPONENTIAL, positive_spans=((0, 2), (2, 2))),
        replace(EXPONENTIAL, negative_spans=((-2, 1),)),
        CUSTOM,
        replace(CUSTOM, custom_values=(0.1, 0.3)),
    ],
)
def test_whatever_counts_makes_another_histogram(other: Histogram) -> None:
    first, second = fingerprints(EXPONENTIAL, other)
    assert first != second
    assert first == fingerprints(EXPONENTIAL)[0]


def test_fingerprints_are_nans_and_never_stale() -> None:
    found = HistogramColumns.of([EXPONENTIAL, CUSTOM]).fingerprints()
    assert np.isnan(found).all()
    assert (found.view(np.uint64) >> np.uint64(50) == 0x3FFF).all()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (replace(EXPONENTIAL, positive=(1.0,)), "spans need other"),
        (replace(EXPONENTIAL, positive_spans=((0, 2), (-1, 2))), "offset is negative"),
        (replace(EXPONENTIAL, negative_spans=((0, -1), (0, 2))), "negative length"),
        (replace(EXPONENTIAL, schema=9), "invalid schema"),
        (replace(EXPONENTIAL, custom_values=(1.0,)), "must not have custom bounds"),
        (replace(EXPONENTIAL, positive=(1.0, -2.0, 7.0, 1.0)), "count is negative"),
        (replace(EXPONENTIAL, positive_spans=((1 << 40, 4),)), "bucket numbers beyond"),
        (replace(CUSTOM, custom_values=(0.1, 0.1)), "strictly increasing"),
        (replace(CUSTOM, custom_values=(0.1, float("inf"))), "must be finite"),
        (replace(CUSTOM, custom_values=(0.1,)), "not enough"),
        (replace(CUSTOM, zero_count=1.0), "zero count"),
        (replace(CUSTOM, negative_spans=((0, 1),), negative=(1.0,)), "negative buckets"),
    ],
)
def test_impossible_histograms_are_refused(bad: Histogram, reason: str) -> None:
    assert reason in (histogram_refusal(bad) or "")


def test_possible_histograms_are_not() -> None:
    assert histogram_refusal(EXPONENTIAL) is None
    assert histogram_refusal(CUSTOM) is None
