"""When something is due: cron expressions and systemd calendar expressions."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SHORTHANDS = {
    "minutely": "*-*-* *:*:00",
    "hourly": "*-*-* *:00:00",
    "daily": "*-*-* 00:00:00",
    "weekly": "mon *-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00",
    "quarterly": "*-01,04,07,10-01 00:00:00",
    "semiannually": "*-01,07-01 00:00:00",
    "yearly": "*-01-01 00:00:00",
    "annually": "*-01-01 00:00:00",
}
_LOOK_AHEAD_DAYS = 366 * 12
_LONGEST = 200


class ScheduleError(ValueError):
    """The expression is no schedule; the message says what to write."""


def parse_timezone(name: str) -> ZoneInfo:
    """Return the zone of the tz database; raise ScheduleError."""
    _require_short(name)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScheduleError(
            f"{name!r} is no time zone; write one such as Europe/Berlin."
        ) from error


def next_cron(expression: str, after: datetime, zone: tzinfo = UTC) -> datetime:
    """Return the first time after ``after`` that the cron ``expression`` names, in UTC.

    Five fields, read in ``zone``, daylight saving time as Debian's cron treats it. Raise
    ScheduleError when the expression is wrong or never comes true.
    """
    _require_short(expression)
    try:
        found: datetime = next(CronSim(expression, after.astimezone(zone)))
    except CronSimError as error:
        raise ScheduleError(f"{expression!r} is no cron expression: {error}.") from error
    except StopIteration:
        raise ScheduleError(f"{expression!r} never comes true.") from None
    return found.astimezone(UTC)


def next_calendar(expression: str, after: datetime, zone: tzinfo = UTC) -> datetime:
    """Return the first time after ``after`` that the calendar ``expression`` names, in UTC.

    systemd's OnCalendar syntax (systemd.time(7)): ``Mon..Fri 08:30``, ``*-*-01 00:00``,
    ``*-02~01`` for the last day of February, ``*:0/15``, ``daily``, and a time zone at the end
    that overrides ``zone``. Seconds are whole. Raise ScheduleError when the expression is wrong
    or does not come true within twelve years.
    """
    calendar, zone = _parse_calendar(expression, zone)
    local = after.astimezone(zone)
    for offset in range(-1, _LOOK_AHEAD_DAYS):
        day = local.date() + timedelta(days=offset)
        if not calendar.includes(day):
            continue
        for hour, minute, second in calendar.times():
            found = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=zone)
            if found.astimezone(UTC) > after:
                return found.astimezone(UTC)
    raise ScheduleError(f"{expression!r} does not come true within twelve years.")


def _require_short(text: str) -> None:
    if len(text) > _LONGEST:
        raise ScheduleError(f"Shorten it to {_LONGEST} characters.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calendar:
    weekdays: frozenset[int]
    years: frozenset[int] | None
    months: frozenset[int]
    days: frozenset[int]
    counts_from_end: bool
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]

    def includes(self, day: date) -> bool:
        number = day.day
        if self.counts_from_end:
            following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
            number = (following - day).days
        return (
            day.weekday() in self.weekdays
            and (self.years is None or day.year in self.years)
            and day.month in self.months
            and number in self.days
        )

    def times(self) -> Iterator[tuple[int, int, int]]:
        for hour in self.hours:
            for minute in self.minutes:
                for second in self.seconds:
                    yield hour, minute, second


def _parse_calendar(expression: str, zone: tzinfo) -> tuple[_Calendar, tzinfo]:
    _require_short(expression)
    words = expression.split()
    if not words:
        raise ScheduleError("Write a calendar expression such as Mon..Fri 08:30 or daily.")
    if words[0].lower() in _SHORTHANDS:
        words = [*_SHORTHANDS[words[0].lower()].split(), *words[1:]]
    weekdays = words.pop(0) if words[0][:3].lower() in _DAYS else "mon..sun"
    day = words.pop(0) if words and ("-" in words[0] or "~" in words[0]) else "*-*-*"
    time = words.pop(0) if words and ":" in words[0] else "00:00:00"
    if words:
        zone = parse_timezone(words.pop(0))
    if words:
        raise ScheduleError(f"{words[0]!r} is too much; write weekdays, date, time, time zone.")
    try:
        return _build_calendar(weekdays, day, time), zone
    except ValueError as error:
        raise ScheduleError(f"{expression!r} is no calendar expression: {error}.") from error


def _build_calendar(weekdays: str, day: str, time: str) -> _Calendar:
    rest, separator, last = day.rpartition("~") if "~" in day else day.rpartition("-")
    year, _, month = rest.rpartition("-")
    clock = time.split(":")
    if len(clock) not in {2, 3}:
        raise ValueError("a time is HH:MM or HH:MM:SS")
    hours, minutes, seconds = (*clock, "00")[:3]
    return _Calendar(
        weekdays=frozenset(_weekdays(weekdays)),
        years=None if year in {"", "*"} else frozenset(_numbers(year, 1970, 2200)),
        months=frozenset(_numbers(month, 1, 12)),
        days=frozenset(_numbers(last, 1, 31)),
        counts_from_end=separator == "~",
        hours=tuple(sorted(_numbers(hours, 0, 23))),
        minutes=tuple(sorted(_numbers(minutes, 0, 59))),
        seconds=tuple(sorted(_numbers(seconds, 0, 59))),
    )


def _weekdays(text: str) -> Iterator[int]:
    for part in text.rstrip(",").split(","):
        first, dots, last = part.partition("..")
        start = _weekday(first)
        length = (_weekday(last) - start) % 7 + 1 if dots else 1
        yield from ((start + step) % 7 for step in range(length))


def _weekday(text: str) -> int:
    full = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    name = text.lower()
    if name not in _DAYS and name not in full:
        raise ValueError(f"{text} is no day of the week")
    return _DAYS.index(name[:3])


def _numbers(text: str, lowest: int, highest: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        first, dots, last = span.partition("..")
        start = lowest if first == "*" else _number(first, lowest, highest)
        is_open = first == "*" or bool(slash)
        end = _number(last, lowest, highest) if dots else highest if is_open else start
        step = _number(step_text, 1, highest) if slash else 1
        found.update(range(start, end + 1, step))
    return found


def _number(text: str, lowest: int, highest: int) -> int:
    if not (text.isascii() and text.isdigit()) or not lowest <= int(text) <= highest:
        raise ValueError(f"{text or 'nothing'} is not a number from {lowest} to {highest}")
    return int(text)
