"""When time intervals are on: the spans agree with what contains every minute."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.notifications.services.interval_spans import Edge, next_edges, spans_between
from apps.notifications.services.time_intervals import (
    interval_of,
    month_names,
    month_ranges,
    weekday_names,
    weekday_ranges,
)

OFFICE = {
    "times": [{"start_time": "09:00", "end_time": "17:00"}],
    "weekdays": ["monday:friday"],
    "location": "Europe/Berlin",
}
NIGHT = {"times": [{"start_time": "01:30", "end_time": "02:45"}], "location": "Europe/Berlin"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ([OFFICE], "2026-11-20"),
        ([NIGHT], "2026-03-28"),  # 02:00 to 03:00 is not there
        ([NIGHT], "2026-10-24"),  # 02:00 to 03:00 is there twice
        ([{"location": "Europe/Berlin", "weekdays": ["sunday"]}], "2026-03-28"),
        ([{"days_of_month": ["-1"], "location": "America/New_York"}, OFFICE], "2026-10-30"),
        ([{"times": [{"start_time": "22:00", "end_time": "24:00"}]}], "2026-11-20"),
        ([{"months": ["april"], "years": ["2027"]}], "2026-11-20"),
        ([{"location": "Africa/Cairo", "times": [NIGHT["times"][0]]}], "2026-04-23"),
    ],
)
def test_spans_are_what_contains_every_minute(written: list[dict[str, Any]], day: str) -> None:
    intervals = [interval_of(each) for each in written]
    start = at(f"{day}T00:00")
    spans = spans_between(intervals, start, start + timedelta(days=3))
    inside = [
        minute
        for minute in (start + timedelta(minutes=number) for number in range(3 * 1440))
        if any(each.contains(minute) for each in intervals)
    ]
    told = [
        span.starts_at + timedelta(minutes=number)
        for span in spans
        for number in range((span.ends_at - span.starts_at) // timedelta(minutes=1))
    ]
    assert told == inside


def test_the_next_edges_are_told_over_nights_and_years() -> None:
    office = next_edges([interval_of(OFFICE)], at("2026-11-20T15:00"), count=3)
    assert office == [
        Edge(at=at("2026-11-20T16:00"), is_on=False),
        Edge(at=at("2026-11-23T08:00"), is_on=True),
        Edge(at=at("2026-11-23T16:00"), is_on=False),
    ]
    sunday = interval_of({"weekdays": ["sunday"]})
    assert next_edges([sunday], at("2026-11-21T12:00"), count=2) == [
        Edge(at=at("2026-11-22T00:00"), is_on=True),
        Edge(at=at("2026-11-23T00:00"), is_on=False),
    ]
    far = interval_of({"months": ["june"], "days_of_month": ["1"]})
    assert next_edges([far], at("2026-11-21T12:00"), count=1)[0].at == at("2027-06-01T00:00")
    assert next_edges([interval_of({})], at("2026-11-21T12:00"), count=2) == []


def test_days_and_months_are_spelled_one_by_one_and_written_as_ranges() -> None:
    days = weekday_names(["monday:wednesday", "Friday", "someday"])
    assert days == ["monday", "tuesday", "wednesday", "friday"]
    assert weekday_ranges(days) == ["monday:wednesday", "friday"]
    assert month_names(["1:2", "december"]) == ["january", "february", "december"]
    assert month_ranges(["december", "january", "february"]) == ["january:february", "december"]
