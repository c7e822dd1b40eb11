"""When a silence begins and ends, as somebody says it by the clocks of a place."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from detectviz.contracts.durations import parse_duration_s

MONDAY, EXACT = "monday", "exact"
SPANS: Mapping[str, str] = {
    "1h": "1 hour",
    "2h": "2 hours",
    "8h": "8 hours",
    "1d": "1 day",
    MONDAY: "Until Monday 09:00",
    EXACT: "Exact end",
}
_MORNING = time(9)
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_FIRST_YEAR, _LAST_YEAR = 1970, 2200


class TimesError(ValueError):
    """A time that can't be read; ``field`` is the one to correct."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """A start (None is now), the end of the first time, and when a recurring silence is over."""

    starts_at: datetime | None
    ends_at: datetime
    over_at: datetime | None = None


def times_read(asked: Mapping[str, Any], *, now: datetime, stored: Times | None) -> Times:
    """Return the times of a form; raise TimesError.

    Inputs show no seconds: what still reads as ``stored`` stays exactly that.
    """
    zone, now = zone_of(asked.get("location", "UTC")), now.replace(microsecond=0)
    start = None
    if text := asked.get("starts_at"):
        start = _moment("starts_at", text, zone, stored.starts_at if stored else None)
    end = _end(asked, start or now, zone, stored.ends_at if stored else None)
    if end <= (start or now):
        raise TimesError("ends_at", "The end must be after the start, and not past already.")
    over = None
    if asked.get("repeat"):
        over = _over(asked.get("until", ""), zone, stored.over_at if stored else None)
    return Times(starts_at=start, ends_at=end, over_at=over)


def zone_of(location: str) -> tzinfo:
    """Return a time zone by its name; raise TimesError."""
    try:
        return ZoneInfo(location)
    except (ValueError, OSError, KeyError) as error:
        raise TimesError(
            "location", f"{location!r} is no time zone such as Europe/Berlin or UTC."
        ) from error


def input_text(at: datetime, zone: tzinfo) -> str:
    """Return a time as an input of date and time takes it."""
    return at.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def last_day(over_at: datetime, zone: tzinfo) -> date:
    """Return the last day before a time."""
    return (over_at.astimezone(zone) - timedelta(microseconds=1)).date()


def same_time_next(at: datetime, zone: tzinfo, now: datetime) -> datetime:
    """Return when the clocks of a place next show the same time of day."""
    day = now.astimezone(zone).date()
    wall = at.astimezone(zone).time()
    found = datetime.combine(day, wall, zone)
    return found if found > now else datetime.combine(day + _DAY, wall, zone)


def _end(
    asked: Mapping[str, Any], start: datetime, zone: tzinfo, stored: datetime | None
) -> datetime:
    span = asked.get("span", EXACT)
    if span == MONDAY:
        return _monday(start, zone)
    if span != EXACT and span in SPANS:
        return start + timedelta(seconds=parse_duration_s(span))
    if not asked.get("ends_at"):
        raise TimesError("ends_at", "Say when it ends.")
    return _moment("ends_at", asked["ends_at"], zone, stored)


def _monday(start: datetime, zone: tzinfo) -> datetime:
    local = start.astimezone(zone)
    day = local.date() + timedelta(days=-local.weekday() % 7)
    found = datetime.combine(day, _MORNING, zone)
    return found if found > start else datetime.combine(day + _WEEK, _MORNING, zone)


def _moment(field: str, text: str, zone: tzinfo, stored: datetime | None) -> datetime:
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise TimesError(field, "Write a date and a time, as 2026-03-01T18:00.") from error
    if not _FIRST_YEAR <= read.year <= _LAST_YEAR:
        raise TimesError(field, "Write a year of this century.")
    at = (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)
    is_stored = stored is not None and at == stored.replace(second=0, microsecond=0)
    return stored if is_stored and stored is not None else at


def _over(text: str, zone: tzinfo, stored: datetime | None) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise TimesError("until", "Say until which day it recurs.") from error
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise TimesError("until", "Write a year of this century.")
    if stored is not None and day == last_day(stored, zone):
        return stored
    return datetime.combine(day + _DAY, time(), zone)
