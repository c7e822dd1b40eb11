"""Shifts as a picture: a bar for each layer and one for what comes out of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.oncall.services.rotations import Schedule, Shift, layer_shifts, shifts

WIDTH = 1000
COLOURS = 6
_NARROWEST_NAMED = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One shift in the picture; ``tone`` is 0 for a gap, else a colour's number."""

    x: int
    width: int
    tone: int
    text: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the picture."""

    title: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The picture of a span: days to write above, rows, where now is."""

    days: Sequence[tuple[int, str]]
    rows: Sequence[Row]
    now_x: int | None
    gaps: Sequence[tuple[str, str]]


def timeline_of(schedule: Schedule, *, start: datetime, days: int, now: datetime) -> Timeline:
    """Return the picture of some days from ``start`` (midnight of the schedule's clock)."""
    end = start + timedelta(days=days)
    final = shifts(schedule, start, end)
    names = list(dict.fromkeys(name for layer in schedule.layers for name in layer.participants))
    names += [one.participant for one in schedule.overrides if one.participant not in names]

    def x(at: datetime) -> int:
        return round(WIDTH * ((at - start) / (end - start)))

    def row(title: str, found: Sequence[Shift]) -> Row:
        return Row(title=title, bars=[bar(shift) for shift in found])

    def bar(shift: Shift) -> Bar:
        left, width = x(shift.starts_at), x(shift.ends_at) - x(shift.starts_at)
        who = shift.participant
        span = " to ".join(_clock(at, schedule) for at in (shift.starts_at, shift.ends_at))
        return Bar(
            x=left,
            width=max(width - 2, 1),
            tone=names.index(who) % COLOURS + 1 if who in names else 0,
            text=who if width >= _NARROWEST_NAMED else "",
            title=f"{who or 'Nobody'}, {span}",
        )

    rows = [
        row(layer.name, layer_shifts(layer, schedule.zone, start, end))
        for layer in reversed(schedule.layers)
    ]
    marks = [start + timedelta(days=day) for day in range(days)]
    return Timeline(
        days=[(x(at), f"{at.astimezone(schedule.zone):%a %d}") for at in marks],
        rows=[row("On call", final), *rows],
        now_x=x(now) if start <= now < end else None,
        gaps=[
            (_clock(shift.starts_at, schedule), _clock(shift.ends_at, schedule))
            for shift in final
            if not shift.participant
        ],
    )


def _clock(at: datetime, schedule: Schedule) -> str:
    return f"{at.astimezone(schedule.zone):%a %d %b %H:%M}"
