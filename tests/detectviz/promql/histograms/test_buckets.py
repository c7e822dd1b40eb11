"""Bounds and order of buckets."""

import math
import sys

import pytest

from detectviz.promql.histograms.buckets import all_buckets, bucket_indexes, exponential_bound
from detectviz.promql.histograms.drafts import compacted, reduced, widened_zero
from detectviz.tsdb.histograms import CUSTOM_BUCKETS_SCHEMA, Histogram


@pytest.mark.parametrize(
    ("index", "schema", "bound"),
    [
        (0, 0, 1.0),
        (1, 0, 2.0),
        (-2, 0, 0.25),
        (1, 1, math.sqrt(2)),
        (2, 1, 2.0),
        (1, -1, 4.0),
        (1024, 0, sys.float_info.max),
        (1025, 0, math.inf),
        (512, -1, sys.float_info.max),
        (8 * 1024, 3, sys.float_info.max),
        (-2000, 0, 0.0),
    ],
)
def test_bounds_are_powers_of_two_to_the_schema(index: int, schema: int, bound: float) -> None:
    assert exponential_bound(index, schema) == pytest.approx(bound)


def test_spans_name_buckets_by_gaps_and_lengths() -> None:
    assert bucket_indexes(((-2, 2), (3, 1))) == (-2, -1, 3)


def test_buckets_come_in_order_and_are_cut_at_the_zero_bucket() -> None:
    histogram = Histogram(
        count=4,
        sum=0,
        zero_threshold=0.75,
        zero_count=1,
        positive_spans=((0, 2),),
        positive=(1, 1),
        negative_spans=((0, 1),),
        negative=(1,),
    )
    found = [(one.lower, one.upper, one.count) for one in all_buckets(histogram)]
    assert found == [(-1, -0.75, 1), (-0.75, 0.75, 1), (0.75, 1, 1), (1, 2, 1)]


def test_custom_buckets_reach_from_minus_to_plus_infinity() -> None:
    histogram = Histogram(
        count=3,
        sum=0,
        schema=CUSTOM_BUCKETS_SCHEMA,
        positive_spans=((0, 3),),
        positive=(1, 1, 1),
        custom_values=(1, 5),
    )
    found = [(one.lower, one.upper, one.is_lower_inclusive) for one in all_buckets(histogram)]
    assert found == [(-math.inf, 1, True), (1, 5, False), (5, math.inf, False)]


def test_compacting_drops_empty_buckets_and_joins_spans() -> None:
    loose = Histogram(
        count=3,
        sum=0,
        positive_spans=((0, 3), (0, 2), (2, 1)),
        positive=(0, 1, 0, 0, 1, 1),
    )
    compact = compacted(loose)
    assert compact.positive_spans == ((1, 1), (2, 1), (2, 1))
    assert compact.positive == (1, 1, 1)
    assert compacted(compact) is compact


def test_a_coarser_schema_merges_neighbours() -> None:
    assert reduced({1: 1.0, 2: 2.0, 3: 4.0}, 1, 0) == {1: 3.0, 2: 4.0}


def test_a_wider_zero_bucket_takes_populated_buckets_in_whole() -> None:
    histogram = Histogram(
        count=6, sum=0, zero_count=1, positive_spans=((0, 3),), positive=(1, 0, 4)
    )
    assert widened_zero(histogram, 0.75) == widened_zero(histogram, 1.0)
    assert widened_zero(histogram, 1.5).threshold == 1.5
    assert widened_zero(histogram, 1.5).count == 2
    assert widened_zero(histogram, 3.0).threshold == 4.0
