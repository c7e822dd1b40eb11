"""Time intervals as a picture of the next days, and in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apps.notifications.services.interval_spans import next_edges, spans_between
from apps.notifications.services.time_intervals import interval_of

DAYS = 14
WIDTH = 1000
_EDGES = 4
_SPOKEN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One span in the picture."""

    x: int
    width: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEdge:
    """When it goes on or off; ``clock`` is the time in the zone of the picture."""

    at: datetime
    is_on: bool
    clock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The next 14 days: days to write above, spans, where now is; then the next edges."""

    zone: str
    days: Sequence[tuple[int, str]]
    bars: Sequence[Bar]
    now_x: int
    is_on: bool
    edges: Sequence[ShownEdge]

    @property
    def spoken(self) -> str:
        """The spans for those who see no picture."""
        told = "; ".join(bar.title for bar in self.bars[:_SPOKEN]) or "never"
        rest = len(self.bars) - _SPOKEN
        return f"On {told}" + (f"; and {rest} more" if rest > 0 else "")


def strip_of(written: Sequence[Mapping[str, Any]], now: datetime) -> Strip:
    """Return the picture of intervals as the spec writes them; raise IntervalError."""
    intervals = [interval_of(each) for each in written]
    places = {each.location for each in intervals}
    zone = ZoneInfo(places.pop() if len(places) == 1 else "UTC")
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    marks = [(today + timedelta(days=day)).astimezone(UTC) for day in range(DAYS + 1)]
    start, end = marks[0], marks[-1]

    def x(at: datetime) -> int:
        return round(WIDTH * ((at - start) / (end - start)))

    bars = [
        Bar(
            x=x(span.starts_at),
            width=max(x(span.ends_at) - x(span.starts_at), 1),
            title=f"{clock(span.starts_at, zone)} to {clock(span.ends_at, zone)}",
        )
        for span in spans_between(intervals, start, end)
    ]
    return Strip(
        zone=zone.key,
        days=[(x(at), f"{at.astimezone(zone):%a %d}") for at in marks[:-1]],
        bars=bars,
        now_x=x(now),
        is_on=any(each.contains(now) for each in intervals),
        edges=[
            ShownEdge(at=edge.at, is_on=edge.is_on, clock=clock(edge.at, zone))
            for edge in next_edges(intervals, now, count=_EDGES)
        ],
    )


def clock(at: datetime, zone: ZoneInfo) -> str:
    """Return a time as the clocks of a place show it."""
    return f"{at.astimezone(zone):%a %d %b %Y %H:%M}"


def interval_words(written: Mapping[str, Any]) -> list[str]:
    """Return what an interval says, one part each; none for every minute there is."""
    times = [f"{each['start_time']} to {each['end_time']}" for each in written.get("times") or ()]
    days = written.get("days_of_month") or ()
    parts: Iterable[str] = (
        _ranges(written.get("weekdays")),
        " and ".join(times),
        f"day {_ranges(days)} of the month" if days else "",
        _ranges(written.get("months")),
        _ranges(written.get("years")),
        str(written.get("location") or "UTC"),
    )
    return [part for part in parts if part]


def _ranges(texts: Sequence[str] | None) -> str:
    return ", ".join(" to ".join(text.split(":")) for text in texts or ())
