"""When maintenance windows are: pure arithmetic on what a window says.

Recurring windows start by the clocks of their place and last as long as they say in real time: a
window of two hours has two hours also in the night in which the clocks change. A start that
does not exist that night (02:30 when clocks jump from 02:00 to 03:00) is as much later; one that
comes twice is the first. Cron expressions are read as Debian's cron reads them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from heapq import merge
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from apps.monitors.enums import WindowStrategy
from detectviz.contracts.schedules import ScheduleError, next_cron, parse_timezone

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WHICH = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}
LONGEST = timedelta(days=31)
_LOOK_AHEAD_DAYS = 366 * 9  # a 29 February may be eight years away
_MOST_JOINED = 500
_CLOCK_CHANGE = timedelta(hours=2)  # so much less may lie between two starts once a year
_LOOKED_AT = 60
_SLIGHTLY = timedelta(seconds=1)
_WEEK = 7


class WindowError(ValueError):
    """A window that can't be; ``field`` says where."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Span:
    """One time a window is on; the end is excluded."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a maintenance window says of its times.

    ``starts_at`` and ``ends_at`` are the span of one that is once, else the bounds within which it
    recurs. ``weekdays`` count from Monday, 0; ``days`` of the month from its end when negative;
    ``nth_weekdays`` are (which, weekday), -1 the last. ``begun_at`` is when somebody began it by
    hand, for its whole length; ``ended_at`` when somebody ended what was on.
    """

    strategy: WindowStrategy
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    cron: str = ""
    weekdays: Sequence[int] = ()
    days: Sequence[int] = ()
    nth_weekdays: Sequence[tuple[int, int]] = ()
    start_time: time = time(0)
    duration: timedelta = timedelta(0)
    zone: tzinfo = UTC
    begun_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def length(self) -> timedelta:
        """How long it lasts."""
        if self.strategy is WindowStrategy.ONCE and self.starts_at and self.ends_at:
            return self.ends_at - self.starts_at
        return self.duration


def spans(window: Window, *, after: datetime) -> Iterator[Span]:
    """Yield what ends after a time, by start; those that are begun or ended by hand as they were.

    Endless for a window that recurs for ever; spans may touch and overlap.
    """
    planned = _planned(window, after)
    for span in merge(_by_hand(window), planned):
        ended_at = window.ended_at
        if ended_at is not None and span.starts_at <= ended_at < span.ends_at:
            span = replace(span, ends_at=ended_at)  # noqa: PLW2901 - the same one, shorter
        if span.ends_at > after and span.ends_at > span.starts_at:
            yield span


def span_at(window: Window, now: datetime) -> Span | None:
    """Return the time around ``now`` during which it is on without a break, else None."""
    found: Span | None = None
    for span in islice(spans(window, after=now), _MOST_JOINED):
        if found is None:
            if span.starts_at > now:
                return None
            found = span
        elif span.starts_at > found.ends_at:
            break
        else:
            found = replace(found, ends_at=max(found.ends_at, span.ends_at))
    return found


def next_span(window: Window, now: datetime) -> Span | None:
    """Return the first that begins after ``now``, None when none does."""
    return next((span for span in spans(window, after=now) if span.starts_at > now), None)


def next_change(window: Window, now: datetime) -> datetime | None:
    """Return when it is next on or off, None when it never changes again."""
    current = span_at(window, now)
    if current is not None:
        return current.ends_at
    following = next_span(window, now)
    return following.starts_at if following else None


def window_check(window: Window, now: datetime) -> None:
    """Raise WindowError for a window that can't be, never is, or begins again before it ends."""
    if window.starts_at and window.ends_at and window.ends_at <= window.starts_at:
        raise WindowError("ends_at", "The end must be after the start.")
    if window.strategy is WindowStrategy.ONCE:
        if window.length > LONGEST * 12:
            raise WindowError("ends_at", "A window lasts 372 days at most.")
        return
    if window.strategy is WindowStrategy.CRON:
        try:
            next_cron(window.cron, now, window.zone)
        except ScheduleError as error:
            raise WindowError("cron", str(error)) from error
    begin = max(now, window.starts_at) if window.starts_at else now
    starts = [each.starts_at for each in islice(_planned(window, begin), _LOOKED_AT)]
    if not starts and not (window.ends_at and window.ends_at <= now):
        field = {"cron": "cron", "weekly": "weekdays"}.get(window.strategy.value, "days")
        raise WindowError(field, "This never occurs.")
    for one, other in pairwise(starts):
        if other - one + _CLOCK_CHANGE < window.duration:
            raise WindowError("duration", "It begins again before it ends: shorten it.")


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone; raise WindowError."""
    try:
        return parse_timezone(name)
    except ScheduleError as error:
        raise WindowError("location", str(error)) from error


def nth_weekday(text: str) -> tuple[int, int]:
    """Read ``second saturday`` or ``last friday``; raise WindowError."""
    which, _, weekday = text.strip().lower().partition(" ")
    if which not in WHICH or weekday.strip() not in WEEKDAYS:
        raise WindowError(
            "nth_weekdays", f"{text!r} is not understood: write second saturday or last friday."
        )
    return WHICH[which], WEEKDAYS.index(weekday.strip())


def _by_hand(window: Window) -> Iterator[Span]:
    if window.begun_at is not None:
        yield Span(starts_at=window.begun_at, ends_at=window.begun_at + window.length)


def _planned(window: Window, after: datetime) -> Iterator[Span]:
    if window.strategy is WindowStrategy.ONCE:
        if window.starts_at and window.ends_at:
            yield Span(starts_at=window.starts_at, ends_at=window.ends_at)
        return
    since = after - window.duration
    if window.starts_at is not None:
        since = max(since, window.starts_at - _SLIGHTLY)
    for start in _starts(window, since):
        if window.ends_at is not None and start >= window.ends_at:
            return
        ends_at = start + window.duration
        if window.ends_at is not None:
            ends_at = min(ends_at, window.ends_at)
        if ends_at > after:
            yield Span(starts_at=start, ends_at=ends_at)


def _starts(window: Window, since: datetime) -> Iterator[datetime]:
    """Yield the starts after a time."""
    if window.strategy is WindowStrategy.CRON:
        yield from _cron_starts(window, since)
        return
    first = since.astimezone(window.zone).date() - timedelta(days=1)
    for offset in range(_LOOK_AHEAD_DAYS):
        day = first + timedelta(days=offset)
        if not _includes(window, day):
            continue
        local = datetime.combine(day, window.start_time, tzinfo=window.zone)
        start = local.astimezone(UTC)
        if start > since:
            yield start


def _cron_starts(window: Window, since: datetime) -> Iterator[datetime]:
    at = since
    while True:
        try:
            at = next_cron(window.cron, at, window.zone)
        except ScheduleError:
            return
        yield at


def _includes(window: Window, day: date) -> bool:
    if window.strategy is WindowStrategy.WEEKLY:
        return day.weekday() in window.weekdays
    last = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    if day.day in window.days or day.day - last.day - 1 in window.days:
        return True
    nth = (day.day - 1) // _WEEK + 1
    is_last = day.day + _WEEK > last.day
    return any(
        weekday == day.weekday() and (which == nth or (which == -1 and is_last))
        for which, weekday in window.nth_weekdays
    )
