"""Histograms as rows of numbers: the same as one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectviz.promql.histograms.arithmetic import is_conflict, mean, scaled, total
from detectviz.promql.histograms.blocks import block_of
from detectviz.promql.histograms.drafts import same_buckets
from detectviz.promql.histograms.resets import is_reset
from detectviz.promql.native_blocks import (
    hints_of_windows,
    step_totals,
    window_differences,
    window_totals,
)
from detectviz.tsdb.histograms import Histogram
from tests.detectviz.promql.histograms.made import ALIKE, custom, exponential

SERIES = st.lists(ALIKE, min_size=1, max_size=6)


def assert_same(found: Histogram, expected: Histogram) -> None:
    assert same_buckets(found, expected)
    assert found.counter_reset is expected.counter_reset
    for one, other in (
        (found.positive, expected.positive),
        (found.negative, expected.negative),
        ((found.count, found.zero_count, found.sum),
         (expected.count, expected.zero_count, expected.sum)),
    ):  # fmt: skip
        assert one == pytest.approx(other)


@given(SERIES)
def test_rows_read_back_as_what_they_were_made_of(series: list[Histogram]) -> None:
    block = block_of(series)
    assert block is not None
    assert block.histograms() == series


@given(SERIES)
def test_restarts_are_those_found_one_by_one(series: list[Histogram]) -> None:
    block = block_of(series)
    assert block is not None
    wanted = [is_reset(newer, older) for older, newer in itertools.pairwise(series)]
    assert block.resets().tolist() == wanted


@given(SERIES, st.sampled_from(["sum", "avg"]))
def test_totals_of_windows_and_steps_are_those_of_their_histograms(
    series: list[Histogram], operator: str
) -> None:
    block = block_of(series)
    assert block is not None
    edges = list(itertools.combinations(range(len(series) + 1), 2))
    low, high = np.array(edges).T
    hints = hints_of_windows(block.hints, low, high)
    combine = total if operator == "sum" else mean
    found = window_totals(operator, block, low, high, hints.joint).histograms()
    for (start, end), one, conflict in zip(edges, found, hints.conflicts.tolist(), strict=True):
        parts = series[start:end]
        assert_same(one, combine(parts).histogram)
        assert conflict is is_conflict(part.counter_reset for part in parts)
    held = np.zeros((len(series), 2), dtype=np.bool_)
    held[:, 1] = True
    (step,) = step_totals(operator, block, held)[0].histograms()
    assert_same(step, combine(series).histogram)


@given(SERIES)
def test_differences_add_what_restarts_took_away(series: list[Histogram]) -> None:
    block = block_of([exponential({1: 0}, schema=1, threshold=0.01), *series])
    assert block is not None
    (found,) = window_differences(
        block, np.array([0]), np.array([len(series) + 1]), is_counter=True
    ).histograms()
    samples = [exponential({1: 0}, schema=1, threshold=0.01), *series]
    lost = [older for older, newer in itertools.pairwise(samples) if is_reset(newer, older)]
    expected = total([samples[-1], scaled(samples[0], -1.0), *lost]).histogram
    assert found.count == pytest.approx(expected.count)
    assert found.positive == pytest.approx(expected.positive)


def test_other_layouts_are_no_block() -> None:
    assert block_of([exponential({1: 1}), exponential({1: 1}, schema=1)]) is None
    assert block_of([custom((1,), (1, 1)), custom((2,), (1, 1))]) is None
    assert block_of([exponential({-2_000: 1}), exponential({2_000: 1})]) is None
