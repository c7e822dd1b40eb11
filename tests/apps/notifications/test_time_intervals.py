"""Time intervals, as Alertmanager's."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.notifications.services.time_intervals import IntervalError, any_contains, interval_of

SPAN = {"start_time": "09:00", "end_time": "17:00"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "moment", "inside"),
    [
        ({}, "2026-03-01T00:00", True),
        ({"times": [SPAN]}, "2026-03-01T09:00", True),
        ({"times": [SPAN]}, "2026-03-01T16:59:59", True),
        ({"times": [SPAN]}, "2026-03-01T17:00", False),
        ({"times": [{"start_time": "22:00", "end_time": "24:00"}]}, "2026-03-01T23:59", True),
        ({"times": []}, "2026-03-01T12:00", True),
        ({"times": [SPAN], "weekdays": [], "months": []}, "2026-03-01T12:00", True),
        ({"times": [SPAN], "weekdays": []}, "2026-03-01T18:00", False),
        ({"weekdays": ["sunday"]}, "2026-03-01T12:00", True),
        ({"weekdays": ["monday:friday"]}, "2026-03-01T12:00", False),
        ({"weekdays": ["Monday:Friday"]}, "2026-03-02T12:00", True),
        ({"days_of_month": ["1"]}, "2026-03-01T12:00", True),
        ({"days_of_month": ["-1"]}, "2026-02-28T12:00", True),
        ({"days_of_month": ["-1"]}, "2026-03-30T12:00", False),
        ({"days_of_month": ["-3:-1"]}, "2028-02-27T12:00", True),
        ({"days_of_month": ["29:31"]}, "2026-02-28T12:00", False),
        ({"days_of_month": ["28:31"]}, "2026-02-28T12:00", True),
        ({"days_of_month": ["1:-1"]}, "2026-02-28T12:00", True),
        ({"days_of_month": ["-31:-1"]}, "2026-02-01T12:00", True),
        ({"months": ["january:march"]}, "2026-03-01T12:00", True),
        ({"months": ["4:6", "12"]}, "2026-12-01T12:00", True),
        ({"years": ["2025:2026"]}, "2026-12-01T12:00", True),
        ({"years": ["2027"]}, "2026-12-01T12:00", False),
        ({"times": [SPAN], "weekdays": ["monday"]}, "2026-03-01T12:00", False),
        ({"times": [SPAN], "location": "Asia/Tokyo"}, "2026-03-01T00:30", True),
        ({"times": [SPAN], "location": "Europe/Berlin"}, "2026-07-01T07:30", True),
        ({"times": [SPAN], "location": "Europe/Berlin"}, "2026-01-01T07:30", False),
        ({"weekdays": ["monday"], "location": "Asia/Tokyo"}, "2026-03-01T20:00", True),
        ({"times": None}, "2026-03-01T12:00", True),
    ],
)
def test_fields_are_and_ed_and_ranges_or_ed(
    written: dict[str, Any], moment: str, inside: bool
) -> None:
    assert interval_of(written).contains(at(moment)) is inside


def test_several_intervals_are_or_ed() -> None:
    several = [{"weekdays": ["monday"]}, {"months": ["march"]}]
    assert any_contains(several, at("2026-03-01T12:00"))
    assert not any_contains(several, at("2026-04-01T12:00"))
    assert not any_contains([], at("2026-04-01T12:00"))


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ({"times": [{"start_time": "17:00", "end_time": "09:00"}]}, "times"),
        ({"times": [{"start_time": "9", "end_time": "10:00"}]}, "times"),
        ({"times": [{"start_time": "09:00", "end_time": "24:01"}]}, "times"),
        ({"times": [{"start_time": "09:60", "end_time": "11:00"}]}, "times"),
        ({"times": [{"start_time": "09:00", "end_time": "09:00"}]}, "times"),
        ({"weekdays": ["friday:monday"]}, "weekdays"),
        ({"weekdays": ["1"]}, "weekdays"),
        ({"days_of_month": ["0"]}, "days_of_month"),
        ({"days_of_month": ["32"]}, "days_of_month"),
        ({"days_of_month": ["-1:5"]}, "days_of_month"),
        ({"days_of_month": ["-1:-3"]}, "days_of_month"),
        ({"days_of_month": ["29:-1"]}, "days_of_month"),
        ({"months": ["13"]}, "months"),
        ({"months": ["may:april"]}, "months"),
        ({"months": ["0:3"]}, "months"),
        ({"years": ["2027:2026"]}, "years"),
        ({"years": ["soon"]}, "years"),
        ({"location": "Mars/Base"}, "location"),
        ({"location": "../etc"}, "location"),
    ],
)
def test_what_can_not_be_is_refused_by_its_field(written: dict[str, Any], field: str) -> None:
    with pytest.raises(IntervalError) as refused:
        interval_of(written)
    assert refused.value.field == field
