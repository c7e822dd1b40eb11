"""Durations read and print as Prometheus' do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectviz.contracts.durations import (
    DurationError,
    format_duration,
    parse_duration_ms,
    parse_duration_s,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("500ms", 0.5),
        ("30s", 30.0),
        ("1m30s", 90.0),
        ("1h", 3600.0),
        ("4d1h", 349_200.0),
        ("14d", 1_209_600.0),
        ("3w2d1h", 1_990_800.0),
        ("10y", 315_360_000.0),
        ("90s", 90.0),
    ],
)
def test_prometheus_durations_are_understood(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "-5m",
        "1.5h",
        "5 m",
        "m",
        "s1",
        "1s5m",
        "5m5m",
        "1d\n",
        "٣s",
        "1µs",
        "9" * 200 + "s",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(DurationError, match="like 30s"):
        parse_duration_s(text)


def test_more_than_64_bits_of_nanoseconds_are_refused() -> None:
    with pytest.raises(DurationError, match="too long"):
        parse_duration_s("293y")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.5, "500ms"),
        (90, "1m30s"),
        (86_400 * 90, "90d"),
        (86_400 * 14, "2w"),
        (31_536_000, "1y"),
        (3661.25, "1h1m1s250ms"),
    ],
)
def test_durations_print_in_their_usual_spelling(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_a_negative_duration_is_not_printed() -> None:
    with pytest.raises(ValueError, match="never negative"):
        format_duration(-1)


@given(st.integers(min_value=0, max_value=9_000_000_000_000))
def test_what_is_printed_reads_back(milliseconds: int) -> None:
    assert parse_duration_ms(format_duration(milliseconds / 1000)) == milliseconds
