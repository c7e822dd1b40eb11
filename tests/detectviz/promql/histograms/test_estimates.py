"""What histograms say of their observations, and what is left of them when cut."""

import math
from dataclasses import replace

import pytest

from detectviz.promql.histograms.estimates import NanNote, fraction, quantile, variance
from detectviz.promql.histograms.trimming import trimmed
from detectviz.tsdb.histograms import Histogram
from tests.detectviz.promql.histograms.made import custom, exponential

FOUR = exponential({1: 2, 2: 2})  # two in (1, 2], two in (2, 4]


@pytest.mark.parametrize(
    ("q", "value"),
    [
        (-1, -math.inf), (2, math.inf), (math.nan, math.nan), (0, 1), (0.25, math.sqrt(2)),
        (0.5, 2), (0.75, 2 * math.sqrt(2)), (1, 4),
    ],
)  # fmt: skip
def test_quantiles_are_taken_on_a_logarithmic_scale(q: float, value: float) -> None:
    assert quantile(q, FOUR).value == pytest.approx(value, nan_ok=True)


def test_the_zero_bucket_is_narrowed_to_the_side_that_has_observations() -> None:
    assert quantile(0.5, exponential({}, zero=2, threshold=1)).value == 0
    assert quantile(0.25, exponential({5: 2}, zero=2, threshold=1)).value == pytest.approx(0.5)
    below = exponential({}, {5: 2}, zero=2, threshold=1)
    assert quantile(0.75, below).value == pytest.approx(-0.5)


def test_the_ends_of_custom_buckets_are_their_outermost_bounds() -> None:
    histogram = custom((1, 5), (2, 2, 2))
    assert [quantile(q, histogram).value for q in (0.1, 0.5, 0.9)] == pytest.approx([0.3, 3, 5])
    assert quantile(0.1, custom((-1, 5), (2, 2, 2))).value == -1


def test_nothing_observed_has_no_quantile() -> None:
    assert math.isnan(quantile(0.5, exponential({})).value)
    assert math.isnan(fraction(0, 1, exponential({})).value)
    assert math.isnan(variance(exponential({})))


def test_observations_of_nan_are_remarked_on() -> None:
    histogram = replace(FOUR, count=8, sum=math.nan)
    skewed, lost = quantile(0.25, histogram), quantile(0.9, histogram)
    assert skewed.value == pytest.approx(2)
    assert skewed.note is NanNote.SKEW
    assert lost.note is NanNote.RESULT
    assert math.isnan(lost.value)
    assert fraction(0, 2, histogram).note is NanNote.EXCLUDED


@pytest.mark.parametrize(
    ("lower", "upper", "share"),
    [
        (0, 4, 1), (-math.inf, math.inf, 1), (1, 2, 0.5), (2, 1, 0), (math.sqrt(2), 2, 0.25),
        (4, math.inf, 0), (math.nan, 1, math.nan),
    ],
)  # fmt: skip
def test_fractions_split_buckets(lower: float, upper: float, share: float) -> None:
    assert fraction(lower, upper, FOUR).value == pytest.approx(share, nan_ok=True)


def test_variance_takes_observations_to_be_in_the_middle_of_their_buckets() -> None:
    histogram = custom((0, 2, 4), (0, 2, 2, 0))
    assert variance(replace(histogram, sum=8)) == pytest.approx(1)


def cut(histogram: Histogram, limit: float) -> tuple[float, float]:
    """Return how much is left below and above."""
    return (
        trimmed(histogram, limit, keeps_lower=True).count,
        trimmed(histogram, limit, keeps_lower=False).count,
    )


@pytest.mark.parametrize(
    ("limit", "below", "above"),
    [(0.5, 0, 4), (1, 0, 4), (2, 2, 2), (math.sqrt(8), 3, 1), (9, 4, 0), (math.inf, 4, 0)],
)
def test_trimming_splits_the_bucket_the_limit_lies_in(
    limit: float, below: float, above: float
) -> None:
    assert cut(FOUR, limit) == pytest.approx((below, above))


def test_what_is_not_cut_keeps_its_sum() -> None:
    assert trimmed(FOUR, 4.0, keeps_lower=True) is FOUR
    assert trimmed(FOUR, 2.0, keeps_lower=True).sum == pytest.approx(2 * math.sqrt(2))


def test_trimming_splits_the_zero_bucket_and_those_below_it() -> None:
    histogram = exponential({1: 2}, {1: 4}, zero=2, threshold=1)
    assert cut(histogram, 0) == pytest.approx((5, 3))
    assert cut(histogram, -math.sqrt(2)) == pytest.approx((2, 6))
    assert cut(exponential({1: 2}, zero=2, threshold=1), 0.5) == pytest.approx((1, 3))


def test_buckets_without_an_end_are_kept_above_and_given_up_below() -> None:
    histogram = custom((2, 4), (4, 2, 6))
    assert cut(histogram, 1) == pytest.approx((2, 10))
    assert cut(histogram, 5) == pytest.approx((6, 6))
    assert cut(histogram, -1) == pytest.approx((0, 8))
    assert cut(custom((-2, 4), (4, 2, 6)), -3) == pytest.approx((4, 8))
