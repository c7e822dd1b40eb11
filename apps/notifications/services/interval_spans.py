"""When time intervals are on: their spans between two times, and the next edges.

Every day is cut into pieces of one offset, so that spans hold in nights in which clocks change.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apps.notifications.services.time_intervals import MINUTES_A_DAY, Interval, Range

LOOKAHEAD_DAYS = 400
_STEP = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when to when it is on, in UTC; the end is excluded."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """When it goes on, or off."""

    at: datetime
    is_on: bool


def spans_between(intervals: Iterable[Interval], start: datetime, end: datetime) -> list[Span]:
    """Return when any of some intervals is on from ``start`` to ``end``, merged and in order."""
    pieces = [piece for each in intervals for piece in _pieces(each, start, end)]
    merged: list[Span] = []
    for begin, final in sorted(pieces):
        if merged and begin <= merged[-1].ends_at:
            last = merged.pop()
            merged.append(Span(starts_at=last.starts_at, ends_at=max(final, last.ends_at)))
        else:
            merged.append(Span(starts_at=begin, ends_at=final))
    return merged


def next_edges(intervals: Sequence[Interval], now: datetime, *, count: int) -> list[Edge]:
    """Return when some intervals next go on or off, ``count`` edges at most.

    Looks 400 days ahead; what changes later, or never, has none.
    """
    found: list[Edge] = []
    for day in range(LOOKAHEAD_DAYS):
        begin, end = now + day * _STEP, now + (day + 1) * _STEP
        # From a minute before, and to a minute after: what touches a border is no edge there.
        for span in spans_between(intervals, begin - _MINUTE, end + _MINUTE):
            edges = (Edge(at=span.starts_at, is_on=True), Edge(at=span.ends_at, is_on=False))
            found += [each for each in edges if begin < each.at <= end]
        if len(found) >= count:
            break
    return found[:count]


def _pieces(
    interval: Interval, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    zone = ZoneInfo(interval.location)
    times = _merged(((0, MINUTES_A_DAY),) if interval.times is None else interval.times)
    day = start.astimezone(zone).date()
    last = end.astimezone(zone).date()
    while day <= last:
        if interval.contains_day(day):
            for begin, final, offset in _even(day, zone):
                midnight = datetime.combine(day, time(), UTC) - offset
                for opens, closes in times:
                    piece_start = max(midnight + opens * _MINUTE, begin, start)
                    piece_end = min(midnight + closes * _MINUTE, final, end)
                    if piece_start < piece_end:
                        yield piece_start, piece_end
        day += _STEP


def _even(day: date, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Yield the parts of a day with one offset from UTC: one, or two where clocks change."""
    begin, end = _midnight(day, zone), _midnight(day + _STEP, zone)
    while begin < end:
        offset = _offset(begin, zone)
        final = end
        if _offset(end - _MINUTE, zone) != offset:
            final = _change(begin, end - _MINUTE, zone)
        yield begin, final, offset
        begin = final


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first minute with another offset than ``before`` has."""
    offset = _offset(before, zone)
    while after - before > _MINUTE:
        middle = before + (after - before) // _MINUTE // 2 * _MINUTE
        if _offset(middle, zone) == offset:
            before = middle
        else:
            after = middle
    return after


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _merged(ranges: Iterable[Range]) -> list[Range]:
    merged: list[Range] = []
    for begin, end in sorted(ranges):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged
