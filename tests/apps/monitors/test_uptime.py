"""Seconds by state, hour by hour."""

from apps.monitors.services.uptime import HOUR_MS, Hour, bucket_of, hours_credit
from detectviz.contracts.types import CheckState

HOUR = 500_000 * HOUR_MS


def test_time_inside_an_hour_adds_up_in_the_running_hour() -> None:
    running, finished = hours_credit(
        Hour(hour_ms=HOUR, up_s=10), "up_s", start_ms=HOUR + 20_000, end_ms=HOUR + 50_000
    )
    assert running == Hour(hour_ms=HOUR, up_s=40)
    assert finished == ()


def test_time_across_a_border_is_split_and_the_finished_hour_is_complete() -> None:
    running, finished = hours_credit(
        Hour(hour_ms=HOUR, up_s=3000, down_s=500),
        "down_s",
        start_ms=HOUR + HOUR_MS - 100_000,
        end_ms=HOUR + HOUR_MS + 50_000,
    )
    assert finished == (Hour(hour_ms=HOUR, up_s=3000, down_s=600),)
    assert running == Hour(hour_ms=HOUR + HOUR_MS, down_s=50)


def test_a_day_between_two_results_fills_every_hour() -> None:
    running, finished = hours_credit(
        Hour(hour_ms=HOUR), "up_s", start_ms=HOUR, end_ms=HOUR + 24 * HOUR_MS
    )
    assert [hour.up_s for hour in finished] == [3600.0] * 24
    assert running == Hour(hour_ms=HOUR + 24 * HOUR_MS)


def test_the_first_result_counts_nothing_and_opens_the_hour() -> None:
    running, finished = hours_credit(
        Hour(hour_ms=0), "unknown_s", start_ms=HOUR + 5, end_ms=HOUR + 5
    )
    assert running == Hour(hour_ms=HOUR)
    assert finished == ()


def test_a_clock_set_back_counts_nothing() -> None:
    running, finished = hours_credit(
        Hour(hour_ms=HOUR, up_s=10), "up_s", start_ms=HOUR - 10_000, end_ms=HOUR - 5_000
    )
    assert running == Hour(hour_ms=HOUR, up_s=10)
    assert finished == ()


def test_maintenance_is_counted_apart() -> None:
    assert bucket_of(CheckState.DOWN, is_in_maintenance=True) == "maintenance_s"
    assert bucket_of(CheckState.DOWN, is_in_maintenance=False) == "down_s"
