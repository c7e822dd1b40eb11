"""Schedules name the times cron and systemd name."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from detectviz.contracts.schedules import ScheduleError, next_calendar, next_cron

BERLIN = ZoneInfo("Europe/Berlin")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "due"),
    [
        ("*/15 * * * *", "2026-01-31T08:30:00", "2026-01-31T08:45:00"),
        ("0 3 * * *", "2026-01-31T02:59:59", "2026-01-31T03:00:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
    ],
)
def test_cron_names_the_next_time(expression: str, after: str, due: str) -> None:
    assert next_cron(expression, _at(after)) == _at(due)


def test_cron_is_read_in_its_zone() -> None:
    assert next_cron("0 3 * * *", _at("2026-07-01T00:00:00"), BERLIN) == _at("2026-07-01T01:00:00")


@pytest.mark.parametrize("expression", ["", "* * * *", "61 * * * *", "0 0 31 2 *", "@daily x"])
def test_a_wrong_cron_expression_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        next_cron(expression, _at("2026-01-01T00:00:00"))


@pytest.mark.parametrize(
    ("expression", "after", "due"),
    [
        ("daily", "2026-01-31T08:30:00", "2026-02-01T00:00:00"),
        ("hourly", "2026-01-31T08:30:00", "2026-01-31T09:00:00"),
        ("weekly", "2026-01-31T08:30:00", "2026-02-02T00:00:00"),
        ("quarterly", "2026-01-31T08:30:00", "2026-04-01T00:00:00"),
        ("Mon..Fri 08:30", "2026-01-31T08:30:00", "2026-02-02T08:30:00"),
        ("Sat,Sun 10:00", "2026-01-31T10:00:00", "2026-02-01T10:00:00"),
        ("Fri..Mon *-*-* 01:00:00", "2026-02-02T01:00:00", "2026-02-06T01:00:00"),
        ("*-*-01 00:00", "2026-01-31T08:30:00", "2026-02-01T00:00:00"),
        ("*-02~01", "2026-01-31T08:30:00", "2026-02-28T00:00:00"),
        ("*-*~01..02 12:00", "2026-01-30T13:00:00", "2026-01-31T12:00:00"),
        ("*:0/15", "2026-01-31T08:31:00", "2026-01-31T08:45:00"),
        ("*:*:0/20", "2026-01-31T08:31:05", "2026-01-31T08:31:20"),
        ("02-29 00:00", "2026-01-31T00:00:00", "2028-02-29T00:00:00"),
        ("2027-*-* 00:00", "2026-01-31T00:00:00", "2027-01-01T00:00:00"),
        ("Mon 08:00 Europe/Berlin", "2026-01-31T00:00:00", "2026-02-02T07:00:00"),
        ("daily Europe/Berlin", "2026-01-31T00:00:00", "2026-01-31T23:00:00"),
    ],
)
def test_calendar_names_the_next_time(expression: str, after: str, due: str) -> None:
    assert next_calendar(expression, _at(after)) == _at(due)


def test_a_time_skipped_by_daylight_saving_comes_an_hour_later() -> None:
    due = next_calendar("*-*-* 02:30", _at("2026-03-29T00:00:00"), BERLIN)
    assert due == _at("2026-03-29T01:30:00")


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "never",
        "Mox 08:00",
        "24:00",
        "08:60",
        "*-13-01",
        "*-02-30",
        "2020-01-01",
        "Mon 08:00 Mars/Olympus",
        "Mon 08:00 UTC more",
        "1:2:3:4",
        "*:0/0",
        "x" * 300,
    ],
)
def test_a_wrong_calendar_expression_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        next_calendar(expression, _at("2026-01-01T00:00:00"))
