"""Whether a counter was restarted between two histograms."""

import pytest

from detectviz.promql.histograms.resets import is_reset, resets_between, statistics, without_hints
from detectviz.tsdb.histograms import CounterReset, Histogram
from tests.detectviz.promql.histograms.made import custom, exponential

BEFORE = exponential({1: 1, 2: 2, 3: 3}, {1: 1}, schema=1, zero=1, threshold=0.5)


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (BEFORE, False),
        (exponential({1: 5, 2: 2, 3: 9}, {1: 1}, schema=1, zero=1, threshold=0.5), False),
        (exponential({1: 9, 2: 1, 3: 3}, {1: 1}, schema=1, zero=1, threshold=0.5), True),
        (exponential({1: 9, 3: 3}, {1: 1}, schema=1, zero=1, threshold=0.5), True),
        (exponential({1: 9, 2: 2, 3: 3}, {}, schema=1, zero=1, threshold=0.5), True),
        (exponential({1: 9, 2: 2, 3: 3}, {1: 1}, schema=1, zero=0, threshold=0.5), True),
        (exponential({1: 3, 2: 3}, {1: 1}, schema=0, zero=1, threshold=0.5), False),
        (exponential({1: 2, 2: 9}, {1: 1}, schema=0, zero=1, threshold=0.5), True),
        (exponential({1: 9, 2: 9, 3: 9}, {1: 9}, schema=2, zero=1, threshold=0.5), True),
        (exponential({1: 9, 2: 9, 3: 9}, {1: 9}, schema=1, zero=1, threshold=0.4), True),
        (exponential({3: 3}, {}, schema=1, zero=5, threshold=2.0), False),
        (exponential({3: 3}, {}, schema=1, zero=4, threshold=2.0), True),
        (exponential({3: 9}, {}, schema=1, zero=9, threshold=1.9), True),
        (custom((1.0,), (9, 9)), True),
    ],
)
def test_counts_that_fall_and_finer_layouts_are_restarts(
    current: Histogram, expected: bool
) -> None:
    assert is_reset(current, BEFORE) is expected


def test_custom_buckets_are_compared_over_bounds_in_common() -> None:
    before = custom((1, 2, 5), (1, 2, 3, 4))
    assert not is_reset(custom((2, 5), (3, 3, 4)), before)
    assert is_reset(custom((2, 5), (2, 9, 9)), before)


def test_a_hint_decides_before_counts_do() -> None:
    up, down = exponential({1: 2}), exponential({1: 1})
    told = exponential({1: 2}, hint=CounterReset.YES)
    assert is_reset(told, down)
    assert not is_reset(exponential({1: 1}, hint=CounterReset.NO), up)


def test_statistics_keep_what_was_seen_in_the_buckets() -> None:
    samples = [
        exponential({1: 2, 2: 1}),
        None,
        exponential({1: 1, 2: 9}),
        exponential({1: 2, 2: 9}),
    ]
    found = [one and (one.count, one.positive, one.counter_reset) for one in statistics(samples)]
    assert found == [
        (3, (), CounterReset.UNKNOWN),
        None,
        (10, (), CounterReset.YES),
        (11, (), CounterReset.NO),
    ]


def test_samples_of_mixed_layouts_are_compared_one_by_one() -> None:
    samples = [exponential({1: 1}, schema=1), exponential({1: 1}), exponential({1: 2}, schema=1)]
    assert resets_between(samples) == [False, True]


def test_gauges_stay_gauges_without_hints() -> None:
    gauge = exponential({1: 1}, hint=CounterReset.GAUGE)
    told = exponential({1: 1}, hint=CounterReset.NO)
    assert without_hints([gauge, told, None]) == [gauge, exponential({1: 1}), None]
