"""Alertmanager's time intervals: what they contain, and how they are written and kept."""

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.db import models

from apps.notifications.models import TimeInterval
from apps.notifications.services.route_uses import interval_uses
from detectviz.resources.errors import ResourceInUseError

MINUTES_A_DAY = 24 * 60
_SHORTEST_MONTH = 28
_LONGEST_MONTH = 31
_DECEMBER = 12
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
FIELDS = ("times", "weekdays", "days_of_month", "months", "years")
Range = tuple[int, int]


class IntervalError(ValueError):
    """An interval that can't be; ``field`` says where."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One interval: ranges of a field are OR-ed, fields AND-ed; None contains everything.

    Times are minutes of the day, the end excluded; weekdays count from Sunday, 0; days of the
    month count from the end when negative.
    """

    times: tuple[Range, ...] | None = None
    weekdays: tuple[Range, ...] | None = None
    days_of_month: tuple[Range, ...] | None = None
    months: tuple[Range, ...] | None = None
    years: tuple[Range, ...] | None = None
    location: str = "UTC"

    def contains(self, moment: datetime) -> bool:
        """Say whether an aware time is inside, by the clocks of ``location``."""
        there = moment.astimezone(ZoneInfo(self.location))
        minute = there.hour * 60 + there.minute
        return _is_before_end(self.times, minute) and self.contains_day(there)

    def contains_day(self, there: date) -> bool:
        """Say whether a day of ``location`` is inside, at some of its times."""
        return (
            self._contains_day_of_month(there)
            and _is_in(self.months, there.month)
            and _is_in(self.weekdays, there.isoweekday() % 7)
            and _is_in(self.years, there.year)
        )

    def _contains_day_of_month(self, there: date) -> bool:
        if self.days_of_month is None:
            return True
        last = monthrange(there.year, there.month)[1]
        for first, final in self.days_of_month:
            begin = first if first > 0 else last + first + 1
            end = final if final > 0 else last + final + 1
            if begin <= last and max(begin, -last) <= there.day <= min(end, last):
                return True
        return False


def interval_of(written: Mapping[str, Any]) -> Interval:
    """Read an interval as Alertmanager writes it; raise IntervalError.

    An empty list is as a field left out, and restricts nothing: forms could not tell them apart.
    """
    return Interval(
        times=_ranges(written, "times", _times),
        weekdays=_ranges(written, "weekdays", _weekdays),
        days_of_month=_ranges(written, "days_of_month", _days),
        months=_ranges(written, "months", _month_range),
        years=_ranges(written, "years", _years),
        location=_location(written.get("location") or "UTC"),
    )


def intervals_written(intervals: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return intervals without their empty lists: so others understand them as we do."""
    return [{name: value for name, value in each.items() if value != []} for each in intervals]


def weekday_names(ranges: Iterable[str]) -> list[str]:
    """Return the weekdays of written ranges one by one; what is none is left out."""
    return _spelled(ranges, _weekdays, WEEKDAYS, first=0)


def weekday_ranges(names: Iterable[str]) -> list[str]:
    """Write weekdays as ranges: neighbours as one."""
    return _ranged(names, WEEKDAYS)


def month_names(ranges: Iterable[str]) -> list[str]:
    """Return the months of written ranges one by one; what is none is left out."""
    return _spelled(ranges, _month_range, MONTHS, first=1)


def month_ranges(names: Iterable[str]) -> list[str]:
    """Write months as ranges: neighbours as one."""
    return _ranged(names, MONTHS)


def any_contains(intervals: Iterable[Mapping[str, Any]], moment: datetime) -> bool:
    """Say whether a time is inside one of the written intervals."""
    return any(_known(orjson.dumps(each)).contains(moment) for each in intervals)


def time_interval_write(
    *,
    org: models.Model,
    name: str,
    title: str,
    intervals: Sequence[Mapping[str, Any]],
    instance: TimeInterval | None,
) -> TimeInterval:
    """Create or update named times; the spec was read by its serializer."""
    row = instance or TimeInterval(org_id=org.pk, name=name)
    row.title, row.intervals = title, intervals_written(intervals)
    row.save()
    return row


def time_interval_delete(*, interval: TimeInterval) -> None:
    """Delete named times that no route refers to; the error names the routes."""
    if uses := interval_uses(org_id=interval.org_id).get(interval.name):
        routes = "; ".join(f"{each.text} ({each.way})" for each in uses)
        raise ResourceInUseError(
            f"Time interval {interval.name!r} is used by the routing tree: {routes}. "
            "Take it out of these routes first."
        )
    interval.delete()


def _spelled(ranges: Iterable[str], read: Any, names: Sequence[str], *, first: int) -> list[str]:
    found: set[int] = set()
    for text in ranges:
        try:
            begin, end = read(text)
        except ValueError:
            continue
        found.update(range(begin, end + 1))
    return [names[number - first] for number in sorted(found)]


def _ranged(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Return each run of neighbours as its first and last."""
    runs: list[list[int]] = []
    for place in sorted(known.index(name) for name in names if name in known):
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return [":".join(dict.fromkeys((known[run[0]], known[run[-1]]))) for run in runs]


@lru_cache(maxsize=1024)
def _known(written: bytes) -> Interval:
    return interval_of(orjson.loads(written))


def _is_in(ranges: Sequence[Range] | None, number: int) -> bool:
    return ranges is None or any(begin <= number <= end for begin, end in ranges)


def _is_before_end(ranges: Sequence[Range] | None, minute: int) -> bool:
    return ranges is None or any(begin <= minute < end for begin, end in ranges)


def _ranges(written: Mapping[str, Any], field: str, read: Any) -> tuple[Range, ...] | None:
    """Read a list of ranges; a field that is left out, null or empty restricts nothing."""
    if not written.get(field):
        return None
    try:
        return tuple(read(item) for item in written[field])
    except ValueError as error:
        raise IntervalError(field, str(error)) from error


def _times(item: Mapping[str, str]) -> Range:
    start, end = _minute(item["start_time"]), _minute(item["end_time"])
    if start >= end:
        raise ValueError(
            "The start must be before the end; write a span over midnight as two, "
            "one until 24:00 and one from 00:00."
        )
    return start, end


def _minute(text: str) -> int:
    hours, separator, minutes = text.partition(":")
    is_clock = separator and len(minutes) == len("00") and (hours + minutes).isascii()
    if not is_clock or not hours.isdigit() or not minutes.isdigit() or len(hours) > len("00"):
        raise ValueError(f"{text!r} is no time: write HH:MM, from 00:00 to 24:00.")
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) >= 60 or minute > MINUTES_A_DAY:  # noqa: PLR2004 - minutes of an hour
        raise ValueError(f"{text!r} is no time: write HH:MM, from 00:00 to 24:00.")
    return minute


def _pair(text: str) -> tuple[str, str]:
    begin, _, end = text.partition(":")
    return begin.strip(), (end or begin).strip()


def _weekdays(text: str) -> Range:
    begin, end = (_named(part, WEEKDAYS, "weekday") for part in _pair(text))
    return _ordered(begin, end, text)


def _month_range(text: str) -> Range:
    begin, end = (
        _number(part) if part.isdigit() else _named(part, MONTHS, "month") + 1
        for part in _pair(text)
    )
    if not (1 <= begin <= _DECEMBER and 1 <= end <= _DECEMBER):
        raise ValueError(f"{text!r}: months go from 1 to 12.")
    return _ordered(begin, end, text)


def _years(text: str) -> Range:
    begin, end = (_number(part) for part in _pair(text))
    return _ordered(begin, end, text)


def _days(text: str) -> Range:
    begin, end = (_number(part) for part in _pair(text))
    for day in (begin, end):
        if day == 0 or abs(day) > _LONGEST_MONTH:
            raise ValueError(f"{text!r}: days go from 1 to 31, or from -1 (the last) to -31.")
    if begin < 0 < end:
        raise ValueError(f"{text!r}: the end must be negative where the start is.")
    # What always is the wrong way round; months that are longer are clamped when asked.
    _ordered(_from_start(begin), _from_start(end), text)
    return begin, end


def _from_start(day: int) -> int:
    return day if day > 0 else _SHORTEST_MONTH + day


def _ordered(begin: int, end: int, text: str) -> Range:
    if begin > end:
        raise ValueError(f"{text!r}: the end is before the start.")
    return begin, end


def _named(text: str, names: Sequence[str], what: str) -> int:
    if text.lower() not in names:
        raise ValueError(f"{text!r} is no {what}: write one of {', '.join(names)}.")
    return names.index(text.lower())


def _number(text: str) -> int:
    if not text.removeprefix("-").isdigit() or len(text) > len("-9999") or not text.isascii():
        raise ValueError(f"{text!r} is no number.")
    return int(text)


def _location(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError) as error:  # no key, a folder, not there
        raise IntervalError(
            "location", f"{text!r} is no time zone: write a name such as Europe/Berlin."
        ) from error
    return text
