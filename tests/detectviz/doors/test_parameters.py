"""Times and durations as Prometheus reads them."""

import pytest

from detectviz.doors.parameters import (
    EARLIEST_MS,
    LATEST_MS,
    parse_duration_parameter_s,
    parse_time_ms,
)


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("0", 0),
        ("1435781430.781", 1_435_781_430_781),
        ("-1.5", -1_500),
        ("1e3", 1_000_000),
        ("2015-07-01T20:10:30.781Z", 1_435_781_430_781),
        ("2015-07-01T20:10:30.781999999Z", 1_435_781_430_782),
        ("2015-07-01T22:10:30+02:00", 1_435_781_430_000),
        ("-292273086-05-16T16:47:06Z", EARLIEST_MS),
        ("292277025-08-18T07:12:54.999999999Z", LATEST_MS),
    ],
)
def test_a_time_is_unix_seconds_or_rfc_3339(text: str, expected_ms: int) -> None:
    assert parse_time_ms(text) == expected_ms


@pytest.mark.parametrize(
    "text",
    ["", "now", "NaN", "Inf", "1e18", "1_000", " 1", "2015-07-01", "2015-07-01T20:10:30", "٣"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="to a valid timestamp"):
        parse_time_ms(text)


@pytest.mark.parametrize(
    ("text", "expected_s"), [("15", 15), ("0.5", 0.5), ("1m30s", 90), ("250ms", 0.25), ("-1", -1)]
)
def test_a_duration_is_seconds_or_prometheus_spelling(text: str, expected_s: float) -> None:
    assert parse_duration_parameter_s(text) == expected_s


@pytest.mark.parametrize("text", ["", "1x", "1.5m", "1e300", "NaN"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="to a valid duration"):
        parse_duration_parameter_s(text)
