"""When a silence begins and ends, as a form says it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from apps.notifications.web.forms.silence_times import (
    Times,
    TimesError,
    same_time_next,
    times_read,
)

SATURDAY = datetime(2026, 11, 21, 13, 30, 15, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def read(asked: dict[str, str], stored: Times | None = None) -> Times:
    return times_read(asked, now=SATURDAY, stored=stored)


@pytest.mark.parametrize(
    ("asked", "ends_at"),
    [
        ({"span": "2h"}, SATURDAY + timedelta(hours=2)),
        ({"span": "1d", "starts_at": "2026-11-22T10:00"}, datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ({"span": "monday", "location": "Europe/Berlin"}, datetime(2026, 11, 23, 8, tzinfo=UTC)),
        (
            {"span": "monday", "starts_at": "2026-11-23T09:00"},
            datetime(2026, 11, 30, 9, tzinfo=UTC),
        ),
        (
            {"span": "monday", "starts_at": "2026-11-23T08:59"},
            datetime(2026, 11, 23, 9, tzinfo=UTC),
        ),
        (
            {"span": "exact", "ends_at": "2026-11-21T18:00", "location": "America/New_York"},
            datetime(2026, 11, 21, 23, tzinfo=UTC),
        ),
    ],
)
def test_an_end_is_said_by_the_clocks_of_a_place(asked: dict[str, str], ends_at: datetime) -> None:
    assert read(asked).ends_at == ends_at


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"span": "exact"}, "ends_at"),
        ({"span": "exact", "ends_at": "soon"}, "ends_at"),
        ({"span": "exact", "ends_at": "0001-01-01T00:00"}, "ends_at"),
        ({"span": "exact", "ends_at": "9999-12-31T23:59"}, "ends_at"),
        ({"span": "exact", "ends_at": "2026-11-21T13:00"}, "ends_at"),
        ({"span": "1h", "starts_at": "2026-13-01T00:00"}, "starts_at"),
        ({"span": "1h", "location": "Mars/Base"}, "location"),
        ({"span": "1h", "location": "../etc/passwd"}, "location"),
        ({"span": "1h", "repeat": "FREQ=DAILY"}, "until"),
        ({"span": "1h", "repeat": "FREQ=DAILY", "until": "never"}, "until"),
    ],
)
def test_a_time_that_can_not_be_is_told_at_its_field(asked: dict[str, str], field: str) -> None:
    with pytest.raises(TimesError) as refused:
        read(asked)
    assert refused.value.field == field


def test_what_nobody_changed_keeps_its_seconds() -> None:
    stored = Times(starts_at=SATURDAY, ends_at=SATURDAY + timedelta(hours=1))
    asked = {"span": "exact", "starts_at": "2026-11-21T13:30", "ends_at": "2026-11-21T14:30"}
    assert read(asked, stored) == stored
    other = read(asked | {"ends_at": "2026-11-21T14:31"}, stored)
    assert other.ends_at == datetime(2026, 11, 21, 14, 31, tzinfo=UTC)


def test_a_recurring_one_is_over_at_the_end_of_its_last_day() -> None:
    asked = {"span": "1h", "repeat": "FREQ=DAILY", "location": "Europe/Berlin"}
    asked["until"] = "2026-12-31"
    assert read(asked).over_at == datetime(2027, 1, 1, tzinfo=BERLIN)
    over_at = datetime(2026, 12, 31, 12, tzinfo=UTC)
    stored = Times(starts_at=SATURDAY, ends_at=SATURDAY, over_at=over_at)
    assert read(asked, stored).over_at == over_at


def test_the_same_time_of_day_comes_today_or_tomorrow() -> None:
    before = datetime(2026, 1, 5, 22, tzinfo=BERLIN)  # summer or winter, by the clocks
    assert same_time_next(before, BERLIN, SATURDAY) == datetime(2026, 11, 21, 22, tzinfo=BERLIN)
    early = datetime(2026, 7, 5, 3, tzinfo=BERLIN)
    assert same_time_next(early, BERLIN, SATURDAY) == datetime(2026, 11, 22, 3, tzinfo=BERLIN)
