"""Firings by rule, counted where the transitions lie: in the database, by one statement.

The ORM can't aggregate over window functions, and one subquery per firing takes seconds.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Any

from django.db import connection, models

from apps.alerting.enums import HandlingAction
from apps.alerting.models import AlertEvent, HandlingEvent

NIGHT_FROM, NIGHT_TO = 22, 7  # hours on the clock of the time zone asked for
RETURN_WITHIN = timedelta(hours=1)  # what fires again so soon has flapped
_TAKEN_BACK = (HandlingAction.UNACKNOWLEDGE.value, HandlingAction.UNSNOOZE.value)
_NAMES = (
    "group_name",
    "rule_name",
    "firings",
    "series",
    "acted_on",
    "untouched",
    "night",
    "returned",
    "mean_s",
)
# A flip is a transition between firing (or recovering) and not; per alert they alternate.
_SQL = """
WITH flips AS (
  SELECT id, group_name, rule_name, fingerprint, at, {epoch} AS moment,
         CASE WHEN state IN ('firing', 'recovering') THEN 1 ELSE 0 END AS is_start
  FROM {events}
  WHERE org_id = %s AND at >= %s
    AND (state IN ('firing', 'recovering')) <> (previous IN ('firing', 'recovering'))
), firings AS (
  SELECT group_name, rule_name, fingerprint, at, moment, is_start,
         LEAD(moment) OVER alert AS ended, LAG(moment) OVER alert AS before
  FROM flips
  WINDOW alert AS (PARTITION BY fingerprint, group_name, rule_name ORDER BY at, id)
), handled AS (
  SELECT DISTINCT fingerprint, fired_at FROM {handlings}
  WHERE org_id = %s AND at >= %s AND action NOT IN (%s, %s)
)
SELECT group_name, rule_name, COUNT(*), COUNT(DISTINCT firings.fingerprint),
       COUNT(fired_at),
       SUM(CASE WHEN fired_at IS NULL AND ended IS NOT NULL THEN 1 ELSE 0 END),
       SUM(CASE WHEN {hour} >= %s OR {hour} < %s THEN 1 ELSE 0 END),
       SUM(CASE WHEN moment - before <= %s THEN 1 ELSE 0 END),
       AVG(COALESCE(ended, %s) - moment)
FROM firings LEFT JOIN handled
  ON handled.fingerprint = firings.fingerprint AND handled.fired_at = firings.at
WHERE is_start = 1 AND at >= %s
GROUP BY group_name, rule_name
"""
_EPOCH = {
    "sqlite": "ROUND((julianday(at) - 2440587.5) * 86400.0, 3)",
    "postgresql": "EXTRACT(EPOCH FROM at)::float8",
}
_HOUR = {
    "sqlite": "(CAST((moment + {offset}) / 3600 AS INTEGER) %% 24)",
    "postgresql": "(FLOOR((moment + {offset}) / 3600)::bigint %% 24)",
}


def firing_counts(
    org: models.Model, *, since: datetime, now: datetime, zone: tzinfo
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return per (group, rule): firings, series, acted_on, untouched, night, returned, mean_s.

    ``mean_s`` counts an open firing until ``now``; ``returned`` began within an hour of the same
    alert's last end.
    """
    sql = _SQL.format(
        epoch=_EPOCH[connection.vendor],
        events=connection.ops.quote_name(AlertEvent._meta.db_table),
        handlings=connection.ops.quote_name(HandlingEvent._meta.db_table),
        hour=_HOUR[connection.vendor].format(offset=_offset(since, now, zone)),
    )
    adapt = connection.ops.adapt_datetimefield_value
    parameters = [
        org.pk,
        adapt(since - RETURN_WITHIN),
        org.pk,
        adapt(since),
        *_TAKEN_BACK,
        NIGHT_FROM,
        NIGHT_TO,
        RETURN_WITHIN.total_seconds(),
        now.timestamp(),
        adapt(since),
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows = [dict(zip(_NAMES, row, strict=True)) for row in cursor.fetchall()]
    return {(row["group_name"], row["rule_name"]): row for row in rows}


def _offset(since: datetime, now: datetime, zone: tzinfo) -> str:
    """Write the zone's seconds from UTC as SQL, with the changes of the clock in between."""
    changes = list(_clock_changes(since, now, zone))
    last = _seconds_from_utc(now, zone)
    if not changes:
        return str(last)
    whens = " ".join(
        f"WHEN moment < {int(at.timestamp())} THEN {_seconds_from_utc(before, zone)}"
        for before, at in changes
    )
    return f"(CASE {whens} ELSE {last} END)"


def _clock_changes(
    since: datetime, now: datetime, zone: tzinfo
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the hours between which the clock is changed."""
    hour = since.replace(minute=0, second=0, microsecond=0)
    while hour < now:
        following = hour + timedelta(hours=1)
        if _seconds_from_utc(hour, zone) != _seconds_from_utc(following, zone):
            yield hour, following
        hour = following


def _seconds_from_utc(at: datetime, zone: tzinfo) -> int:
    offset = at.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0
