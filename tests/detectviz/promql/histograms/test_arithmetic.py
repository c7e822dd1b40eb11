"""Sums, differences and multiples of histograms."""

import math
import sys

import pytest

from detectviz.promql.histograms.arithmetic import (
    IncompatibleSchemasError,
    divided,
    is_conflict,
    joint_hint,
    mean,
    scaled,
    subtracted,
    total,
)
from detectviz.promql.histograms.drafts import by_index
from detectviz.promql.histograms.equality import equal
from detectviz.tsdb.histograms import CounterReset, Histogram
from tests.detectviz.promql.histograms.made import custom, exponential


def test_a_sum_adds_counts_sums_and_buckets() -> None:
    one = exponential({0: 1, 3: 2}, {1: 1}, zero=1, threshold=0.1)
    other = exponential({1: 4, 3: 1}, zero=2, threshold=0.1)
    assert total((one, other)).histogram == exponential(
        {0: 1, 1: 4, 3: 3}, {1: 1}, zero=3, threshold=0.1
    )


def test_a_sum_has_the_coarser_schema() -> None:
    fine = exponential({1: 1, 2: 2, 3: 4}, schema=1)
    coarse = exponential({1: 10})
    found = total((fine, coarse)).histogram
    assert found.schema == 0
    assert by_index(found.positive_spans, found.positive) == {1: 13, 2: 4}


def test_a_sum_has_the_wider_zero_bucket_and_what_lies_in_it() -> None:
    wide = exponential({4: 1}, zero=1, threshold=1.0)
    narrow = exponential({-1: 2, 0: 3, 1: 5}, {-3: 7}, zero=1, threshold=0.01)
    found = total((wide, narrow)).histogram
    assert (found.zero_threshold, found.zero_count) == (1.0, 14)
    assert by_index(found.positive_spans, found.positive) == {1: 5, 4: 1}
    assert found.negative == ()


def test_a_zero_bucket_that_would_cut_a_populated_one_is_widened_for_both() -> None:
    found = total((exponential({}, zero=1, threshold=0.7), exponential({0: 2, 1: 1}))).histogram
    assert (found.zero_threshold, found.zero_count) == (1.0, 3)


def test_custom_bounds_are_reduced_to_those_in_common() -> None:
    found = total((custom((1, 2, 5), (1, 2, 3, 4)), custom((2, 5, 9), (10, 20, 30, 40))))
    assert found.is_reconciled
    assert found.histogram.custom_values == (2, 5)
    assert found.histogram.positive == (13, 23, 74)


def test_exponential_and_custom_buckets_have_no_sum() -> None:
    with pytest.raises(IncompatibleSchemasError):
        total((custom((1,), (1, 1)), exponential({1: 1})))


def test_cancelled_counts_leave_no_dust() -> None:
    tiny = exponential({1: 1e-3})
    huge = exponential({1: 1e20})
    assert total((tiny, huge, scaled(huge, -1.0))).histogram.positive == (1e-3,)


def test_a_mean_of_huge_counts_does_not_overflow() -> None:
    huge = exponential({1: sys.float_info.max})
    assert mean((huge, huge)).histogram.positive == (sys.float_info.max,)


def test_a_difference_may_be_negative() -> None:
    found = subtracted(exponential({1: 1}), exponential({1: 3, 2: 1})).histogram
    assert by_index(found.positive_spans, found.positive) == {1: -2, 2: -1}


def test_negative_multiples_are_gauges_and_a_zeroth_part_has_no_buckets() -> None:
    one = exponential({1: 2}, zero=1)
    assert scaled(one, -2.0).counter_reset is CounterReset.GAUGE
    assert divided(one, -2.0).positive == (-1.0,)
    nothing = divided(one, 0.0)
    assert nothing.positive_spans == ()
    assert math.isinf(nothing.count)


@pytest.mark.parametrize(
    ("hints", "joint"),
    [
        ("no no", "no"),
        ("no unknown", "unknown"),
        ("yes no", "unknown"),
        ("yes no gauge", "gauge"),
        ("unknown gauge", "gauge"),
    ],
)
def test_the_hint_of_a_sum_is_what_all_agree_on(hints: str, joint: str) -> None:
    found = [CounterReset[one.upper()] for one in hints.split()]
    assert joint_hint(found) is CounterReset[joint.upper()]
    assert is_conflict(found) is ("yes" in hints and "no " in f"{hints} ")


def test_equality_is_of_bits_and_not_of_how_spans_are_written() -> None:
    one = Histogram(count=math.nan, sum=1, positive_spans=((0, 2),), positive=(1, 2))
    split = Histogram(count=math.nan, sum=1, positive_spans=((0, 1), (0, 1)), positive=(1, 2))
    assert equal(one, split)
    assert not equal(one, Histogram(count=math.nan, sum=1, positive_spans=((0, 1),), positive=(1,)))
    assert not equal(Histogram(count=0.0, sum=0.0), Histogram(count=-0.0, sum=0.0))
