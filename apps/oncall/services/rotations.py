"""Who is on call, as pure functions of a schedule and a time.

Layers lie on each other: the last that has somebody counts, an override above them all. Days and
weeks turn at a time of the schedule's own clock, hours by time that really passes. A time of day
that a clock change skips is the moment after the gap; one that comes twice is its first.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_WEEK_DAYS = 7
MIDNIGHT = time(0, 0)


class RotationUnit(StrEnum):
    """What a turn is counted in."""

    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """When a layer is in force: on these weekdays (Monday is 0), from one time of day to another.

    An end that is not after the start lies on the next day.
    """

    days: frozenset[int]
    start: time = MIDNIGHT
    end: time = MIDNIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Participants who take turns of ``length`` units, from ``starts_on`` to ``ends_on``."""

    name: str
    participants: tuple[str, ...]
    unit: RotationUnit = RotationUnit.WEEKS
    length: int = 1
    starts_on: date
    ends_on: date | None = None
    handover: time = MIDNIGHT
    weekday: int = 0
    restrictions: tuple[Restriction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Somebody for a while, whatever the layers say."""

    participant: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Layers from the lowest to the highest; of overrides that meet, the last counts."""

    zone: ZoneInfo
    layers: Sequence[Layer]
    overrides: Sequence[Override] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A span with the same person on call; an empty participant is a gap."""

    starts_at: datetime
    ends_at: datetime
    participant: str
    source: str = field(default="")


def on_call_at(schedule: Schedule, at: datetime) -> str:
    """Return who is on call at a time, empty for nobody."""
    return _found(schedule, at)[0]


def layer_at(layer: Layer, zone: ZoneInfo, at: datetime) -> str:
    """Return whom one layer has at a time, empty for nobody."""
    if not layer.participants or not _is_in_force(layer, zone, at):
        return ""
    turn = _turn(layer, zone, at)
    return layer.participants[turn % len(layer.participants)]


def shifts(schedule: Schedule, start: datetime, end: datetime) -> list[Shift]:
    """Return the shifts and gaps of a span, without a hole between them."""
    found: list[Shift] = []
    for begin, finish in _segments(_edges(schedule, start, end), start, end):
        participant, source = _found(schedule, begin)
        _append(found, begin, finish, participant, source)
    return found


def layer_shifts(layer: Layer, zone: ZoneInfo, start: datetime, end: datetime) -> list[Shift]:
    """Return the same of one layer by itself."""
    found: list[Shift] = []
    for begin, finish in _segments(_layer_edges(layer, zone, start, end), start, end):
        _append(found, begin, finish, layer_at(layer, zone, begin), layer.name)
    return found


def instant(zone: ZoneInfo, day: date, clock: time) -> datetime:
    """Return the moment a clock in ``zone`` shows this, in UTC."""
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)


def _found(schedule: Schedule, at: datetime) -> tuple[str, str]:
    for override in reversed(schedule.overrides):
        if override.starts_at <= at < override.ends_at:
            return override.participant, "override"
    for layer in reversed(schedule.layers):
        participant = layer_at(layer, schedule.zone, at)
        if participant:
            return participant, layer.name
    return "", ""


def _is_in_force(layer: Layer, zone: ZoneInfo, at: datetime) -> bool:
    begins_at, ends_at = _bounds(layer, zone)
    if at < begins_at or (ends_at is not None and at >= ends_at):
        return False
    return not layer.restrictions or any(_allows(one, zone, at) for one in layer.restrictions)


def _bounds(layer: Layer, zone: ZoneInfo) -> tuple[datetime, datetime | None]:
    ends_at = instant(zone, layer.ends_on, layer.handover) if layer.ends_on else None
    return instant(zone, layer.starts_on, layer.handover), ends_at


def _allows(restriction: Restriction, zone: ZoneInfo, at: datetime) -> bool:
    today = at.astimezone(zone).date()
    for day in (today - _DAY, today):
        if day.weekday() in restriction.days:
            start, end = _allowed_span(restriction, zone, day)
            if start <= at < end:
                return True
    return False


def _allowed_span(restriction: Restriction, zone: ZoneInfo, day: date) -> tuple[datetime, datetime]:
    last = day if restriction.end > restriction.start else day + _DAY
    return instant(zone, day, restriction.start), instant(zone, last, restriction.end)


def _turn(layer: Layer, zone: ZoneInfo, at: datetime) -> int:
    """Return how many turns have ended since the layer began."""
    if layer.unit is RotationUnit.HOURS:
        passed = at - instant(zone, layer.starts_on, layer.handover)
        return passed // timedelta(hours=layer.length)
    day = at.astimezone(zone).date()
    # Around a clock change the local date may run ahead of the moment of handing over.
    while instant(zone, day, layer.handover) > at:
        day -= _DAY
    while instant(zone, day + _DAY, layer.handover) <= at:
        day += _DAY
    days = layer.length * (_WEEK_DAYS if layer.unit is RotationUnit.WEEKS else 1)
    return (day - _anchor(layer)).days // days


def _anchor(layer: Layer) -> date:
    """Return the day from which turns count: of weeks the weekday on or before the start."""
    if layer.unit is not RotationUnit.WEEKS:
        return layer.starts_on
    return layer.starts_on - timedelta(days=(layer.starts_on.weekday() - layer.weekday) % 7)


def _edges(schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    for override in schedule.overrides:
        yield from (override.starts_at, override.ends_at)
    for layer in schedule.layers:
        yield from _layer_edges(layer, schedule.zone, start, end)


def _layer_edges(
    layer: Layer, zone: ZoneInfo, start: datetime, end: datetime
) -> Iterator[datetime]:
    """Yield every moment at which a layer's answer may change."""
    begins_at, ends_at = _bounds(layer, zone)
    yield begins_at
    if ends_at is not None:
        yield ends_at
    if layer.unit is RotationUnit.HOURS:
        step = timedelta(hours=layer.length)
        edge = begins_at + max((start - begins_at) // step, 0) * step
        while edge < end:
            yield edge
            edge += step
    for day in _days(zone, start, end):
        if layer.unit is not RotationUnit.HOURS:
            yield instant(zone, day, layer.handover)
        for restriction in layer.restrictions:
            yield from _allowed_span(restriction, zone, day)


def _days(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[date]:
    day = start.astimezone(zone).date() - _DAY
    last = end.astimezone(zone).date() + _DAY
    while day <= last:
        yield day
        day += _DAY


def _segments(
    edges: Iterable[datetime], start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    if start >= end:
        return
    cuts = sorted({start, end, *(edge for edge in edges if start < edge < end)})
    yield from pairwise(cuts)


def _append(
    found: list[Shift], begin: datetime, finish: datetime, participant: str, source: str
) -> None:
    """Add a span, as part of the one before where nothing changes."""
    if found and (found[-1].participant, found[-1].source) == (participant, source):
        begin = found.pop().starts_at
    found.append(Shift(starts_at=begin, ends_at=finish, participant=participant, source=source))
