"""The times a route names, at a time: which it is inside of, and when that lets alerts through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models

from apps.notifications.models import TimeInterval
from apps.notifications.services.interval_spans import Span, spans_between
from apps.notifications.services.routing import Route
from apps.notifications.services.time_intervals import Interval, interval_of
from detectviz.resources.errors import InvalidFieldsError

FARTHEST = timedelta(days=8)
_MOST_AWAY = timedelta(days=3660)
_STEP = timedelta(minutes=1)  # intervals begin and end at whole minutes
Intervals = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTime:
    """Named times of a route, and whether the moment asked about is inside of them."""

    name: str
    is_mute: bool
    is_inside: bool

    @property
    def holds_back(self) -> bool:
        """Say whether these mute times mute now."""
        return self.is_mute and self.is_inside


def intervals_of(org: models.Model | int) -> Intervals:
    """Return an org's times by name, as written; one query."""
    return dict(TimeInterval.objects.for_org(org).values_list("name", "intervals"))


def route_times(route: Route, intervals: Intervals, at: datetime) -> tuple[RouteTime, ...]:
    """Return how the times a route names stand at a moment, those it is active in first."""
    named = [(name, False) for name in route.active_time_intervals]
    named += [(name, True) for name in route.mute_time_intervals]
    return tuple(
        RouteTime(name=name, is_mute=is_mute, is_inside=_is_inside(_read(intervals, name), at))
        for name, is_mute in named
    )


def is_open(times: Sequence[RouteTime]) -> bool:
    """Say whether a route tells anybody at times that stand so."""
    active = [each.is_inside for each in times if not each.is_mute]
    return (not active or any(active)) and not any(each.holds_back for each in times)


def opens_at(route: Route, intervals: Intervals, at: datetime) -> datetime | None:
    """Return from when on, after ``at``, a route tells again; None if not within eight days.

    It can begin to only where active times begin or mute times end.
    """
    start = at.astimezone(UTC).replace(second=0, microsecond=0) + _STEP
    end = at.astimezone(UTC) + FARTHEST

    def spans(names: Sequence[str]) -> list[Span]:
        read = [one for name in names for one in _read(intervals, name)]
        return spans_between(read, start, end + _STEP)

    always = [Span(starts_at=start, ends_at=end + _STEP)]
    active = spans(route.active_time_intervals) if route.active_time_intervals else always
    mute = spans(route.mute_time_intervals)
    borders = {span.starts_at for span in active} | {span.ends_at for span in mute}
    opening = (
        moment
        for moment in sorted(borders)
        if moment <= end and _is_within(active, moment) and not _is_within(mute, moment)
    )
    return next(opening, None)


def _is_within(spans: Sequence[Span], moment: datetime) -> bool:
    return any(span.starts_at <= moment < span.ends_at for span in spans)


def _read(intervals: Intervals, name: str) -> list[Interval]:
    return [interval_of(each) for each in intervals.get(name, ())]


def _is_inside(intervals: Sequence[Interval], at: datetime) -> bool:
    return any(each.contains(at) for each in intervals)


def moment_asked(text: str, location: str, now: datetime) -> datetime:
    """Read the time somebody asks about; raise InvalidFieldsError naming ``at`` or ``location``.

    Without an offset it is meant by the clocks of ``location``; an empty one is now.
    """
    try:
        zone = ZoneInfo(location)
    except (ValueError, OSError, KeyError) as error:
        raise InvalidFieldsError({"location": [f"{location!r} is no time zone."]}) from error
    if not text:
        return now
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        if abs(moment - now) > _MOST_AWAY:
            raise InvalidFieldsError({"at": ["Ask about a time within ten years."]})
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidFieldsError({"at": ["Write a time such as 2026-01-31T03:00."]}) from error
