"""Firings by rule, counted in one walk over the transitions of an org.

What lies between the transitions of one alert is asked of a window function slowly: SQLite sorts
all rows by texts for it, and joins what people did row by row.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from django.db import connection, models

from apps.alerting.enums import AlertState, HandlingAction
from apps.alerting.models import AlertEvent, HandlingEvent
from detectviz.clock import to_ms

NIGHT_FROM, NIGHT_TO = 22, 7  # hours on the clock of the time zone asked for
RETURN_WITHIN = timedelta(hours=1)  # what fires again so soon has flapped
Key = tuple[str, str]  # the group's name and the rule's
_TAKEN_BACK = (HandlingAction.UNACKNOWLEDGE.value, HandlingAction.UNSNOOZE.value)
_FIRING: Final = (AlertState.FIRING.value, AlertState.RECOVERING.value)
_RETURN_MS: Final = RETURN_WITHIN // timedelta(milliseconds=1)
_HOUR_MS: Final = 3_600_000
_ROWS: Final = 2000  # fetched at once
_MS = {
    "sqlite": "CAST((julianday({0}) - 2440587.5) * 86400000.0 + 0.5 AS INTEGER)",
    "postgresql": "(EXTRACT(EPOCH FROM {0}) * 1000)::bigint",
}
_EVENTS = """
SELECT group_name, rule_name, fingerprint, {ms}, state IN (%s, %s), previous IN (%s, %s)
FROM {table} WHERE org_id = %s AND at >= %s ORDER BY at, id
"""
_HANDLED = """
SELECT group_name, rule_name, fingerprint, {ms}, action, after_s FROM {table}
WHERE org_id = %s AND at >= %s AND fired_at IS NOT NULL AND action NOT IN (%s, %s) ORDER BY at, id
"""


@dataclass(slots=True)
class AlertTurns:
    """What is known of one alert on the way through its transitions; times in ms, 0 for none.

    ``seen_ms`` is its last transition, ``turned_ms`` when it last began to fire or ended,
    ``began_ms`` when what still fires began. ``firings`` are those counted.
    """

    seen_ms: int = 0
    turned_ms: int = 0
    began_ms: int = 0
    firings: int = 0
    is_acted_on: bool = False


@dataclass(slots=True)
class FiringCounts:
    """What one rule's ``alerts`` did, by fingerprint.

    ``returned`` began within an hour of the same alert's last end. A firing is ``acted_on``,
    ``untouched``, or still open and neither. ``acknowledged_s`` are the seconds to the first
    acknowledgement of each firing that has one.
    """

    firings: int = 0
    acted_on: int = 0
    untouched: int = 0
    night: int = 0
    returned: int = 0
    lasted_ms: int = 0
    alerts: dict[str, AlertTurns] = field(default_factory=dict)
    acknowledged_s: list[float] = field(default_factory=list)

    @property
    def series(self) -> int:
        """How many alerts fired."""
        return sum(one.firings > 0 for one in self.alerts.values())

    @property
    def mean_s(self) -> float | None:
        """How long a firing lasts, an open one until now."""
        return self.lasted_ms / self.firings / 1000 if self.firings else None

    def begin(self, one: AlertTurns, at_ms: int, *, is_acted_on: bool, is_night: bool) -> None:
        """Count a firing that begins."""
        self.firings += 1
        self.acted_on += is_acted_on
        self.night += is_night
        self.returned += bool(one.turned_ms) and at_ms - one.turned_ms <= _RETURN_MS
        one.firings += 1
        one.began_ms, one.is_acted_on = at_ms, is_acted_on

    def end(self, one: AlertTurns, at_ms: int) -> None:
        """Count that a firing is over."""
        self.lasted_ms += at_ms - one.began_ms
        self.untouched += not one.is_acted_on
        one.began_ms = 0

    def close(self, now_ms: int) -> None:
        """Let what still fires have lasted until now."""
        open_ms = [one.began_ms for one in self.alerts.values() if one.began_ms]
        self.lasted_ms += now_ms * len(open_ms) - sum(open_ms)


def firing_counts(
    org: models.Model, *, since: datetime, now: datetime, zone: tzinfo
) -> dict[Key, FiringCounts]:
    """Return the counts of every rule that did anything since then; two queries."""
    found: dict[Key, FiringCounts] = defaultdict(FiringCounts)
    handled = _handled(org, since, found)
    is_night = _nights(since, now, zone)
    since_ms = to_ms(since)
    for group, rule, alert, at_ms, is_firing, was_firing in _events(org, since - RETURN_WITHIN):
        counts = found[group, rule]
        one = counts.alerts.get(alert)
        if one is None:
            one = counts.alerts[alert] = AlertTurns()
        one.seen_ms = at_ms
        if is_firing == was_firing:
            continue
        if one.began_ms:
            counts.end(one, at_ms)
        if is_firing and at_ms >= since_ms:
            is_acted_on = (alert, at_ms) in handled
            counts.begin(one, at_ms, is_acted_on=is_acted_on, is_night=is_night(at_ms))
        one.turned_ms = at_ms
    for counts in found.values():
        counts.alerts = {
            alert: one for alert, one in counts.alerts.items() if one.seen_ms >= since_ms
        }
        counts.close(to_ms(now))
    return found


def _events(org: models.Model, since: datetime) -> Iterator[Any]:
    given = [*_FIRING, *_FIRING, org.pk, connection.ops.adapt_datetimefield_value(since)]
    return _rows(AlertEvent, _EVENTS, "at", given)


def _handled(
    org: models.Model, since: datetime, found: Mapping[Key, FiringCounts]
) -> AbstractSet[tuple[str, int]]:
    """Return the firings, by alert and begin, that somebody did something about."""
    given = [org.pk, connection.ops.adapt_datetimefield_value(since), *_TAKEN_BACK]
    handled: set[tuple[str, int]] = set()
    acknowledged: set[tuple[Key, str, int]] = set()
    rows = _rows(HandlingEvent, _HANDLED, "fired_at", given)
    for group, rule, alert, fired_ms, action, after_s in rows:
        handled.add((alert, fired_ms))
        firing = ((group, rule), alert, fired_ms)
        is_answer = action == HandlingAction.ACKNOWLEDGE and after_s is not None
        if is_answer and firing not in acknowledged:
            acknowledged.add(firing)
            found[group, rule].acknowledged_s.append(after_s)
    return handled


def _rows(model: type[models.Model], sql: str, column: str, given: list[Any]) -> Iterator[Any]:
    """Yield what a statement finds, never all of it at once."""
    ms = _MS[connection.vendor].format(column)
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql.format(ms=ms, table=table), given)
        while rows := cursor.fetchmany(_ROWS):
            yield from rows


def _nights(since: datetime, now: datetime, zone: tzinfo) -> Callable[[int], bool]:
    """Return what says of a time in ms whether it is night by the clocks of a zone."""
    start = since - RETURN_WITHIN
    changes = list(_clock_changes(start, now, zone))
    whens = [to_ms(at) for at, _ in changes]
    offsets = [_ms_from_utc(start, zone), *(offset for _, offset in changes)]

    def is_night(at_ms: int) -> bool:
        hour = (at_ms + offsets[bisect_right(whens, at_ms)]) // _HOUR_MS % 24
        return hour >= NIGHT_FROM or hour < NIGHT_TO

    return is_night


def _clock_changes(since: datetime, now: datetime, zone: tzinfo) -> Iterator[tuple[datetime, int]]:
    """Yield the hours before which the clock was changed, and the offset since then."""
    hour = since.replace(minute=0, second=0, microsecond=0)
    before = _ms_from_utc(hour, zone)
    while hour < now:
        hour += timedelta(hours=1)
        offset = _ms_from_utc(hour, zone)
        if offset != before:
            yield hour, offset
        before = offset


def _ms_from_utc(at: datetime, zone: tzinfo) -> int:
    offset = at.astimezone(zone).utcoffset()
    return offset // timedelta(milliseconds=1) if offset else 0
