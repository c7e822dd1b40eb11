"""Who checks which monitor when: claims, leases, epochs and the grid of slots.

A slot is claimed once: the claim moves ``next_due_ms`` to the next slot of the grid in the same
statement. The lease keeps other collectors away until the result is stored; its owner alone may
claim the next slot before that, so an interval of one second works although results are flushed
in batches. Editing, pausing and taking over raise ``epoch``, which fences results still in flight.

A slot that is late by more than max(1 s, 10 % of the interval) is skipped and counted when the
next one comes within a minute; otherwise it is run late, because an hourly check skipped after a
restart would be missed for an hour. A lease that runs out puts the monitor due at once: what a
killed collector had begun is done again, once.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, Q

from apps.monitors.models import Monitor, MonitorMaintenance, MonitorSchedule
from detectviz.clock import to_ms
from detectviz.runtime.shards import Shards

LEASE_S = 30.0
LOOK_AHEAD_S = 1.25
CLAIM_LIMIT = 500
LONGEST_WAIT_AFTER_SKIP_S = 60.0
_PHASE_BYTES = 8
_ACROSS = "collectors serve all orgs"

_TABLE = MonitorSchedule._meta.db_table

# The first grid slot more than half an interval after the slot claimed (or after now, if late):
# for a slot on the grid simply the next one, while a retry or a first check shortly before a grid
# slot is not followed by a second check at once.
_CLAIM = """
UPDATE {table} SET
  lease_owner = %(owner)s,
  lease_until_ms = {begin} + timeout_ms + %(lease_ms)s,
  claimed_slot_ms = next_due_ms,
  claimed_at_ms = %(now_ms)s,
  slots_skipped = slots_skipped
    + CASE WHEN %(now_ms)s > next_due_ms THEN (%(now_ms)s - next_due_ms) / interval_ms ELSE 0 END,
  next_due_ms = {half} - ({half} - phase_ms) %% interval_ms + interval_ms
WHERE monitor_id IN (
  SELECT monitor_id FROM {table}
  WHERE is_active AND location = %(location)s AND next_due_ms <= %(horizon_ms)s {shards}
    AND (lease_owner = ''
         OR (lease_owner = %(owner)s AND claimed_slot_ms >= %(now_ms)s - timeout_ms - 2000))
  ORDER BY next_due_ms LIMIT %(limit)s {lock}
)
RETURNING monitor_id, claimed_slot_ms, epoch, config_version, interval_ms, timeout_ms
"""

_SKIP = """
UPDATE {table} SET
  slots_skipped = slots_skipped + (%(now_ms)s - next_due_ms) / interval_ms + 1,
  next_due_ms = %(now_ms)s - (%(now_ms)s - phase_ms) %% interval_ms + interval_ms
WHERE monitor_id IN (
  SELECT monitor_id FROM {table}
  WHERE is_active AND location = %(location)s AND next_due_ms < %(now_ms)s - 1000
    AND (%(now_ms)s - next_due_ms) * 10 > interval_ms
    AND interval_ms - (%(now_ms)s - phase_ms) %% interval_ms <= %(wait_ms)s
  {lock}
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One slot of one monitor, ours until the lease ends. Times in Unix milliseconds."""

    monitor_id: int
    slot_ms: int
    epoch: int
    config_version: int
    interval_ms: int
    timeout_ms: int


def phase_ms(uid: str, interval_ms: int) -> int:
    """Return where in its interval a monitor's slots lie: a hash, so that monitors spread."""
    digest = hashlib.blake2b(uid.encode(), digest_size=_PHASE_BYTES).digest()
    return int.from_bytes(digest) % interval_ms


def claim_due(
    *,
    owner: str,
    now: datetime,
    location: str,
    look_ahead_s: float = LOOK_AHEAD_S,
    limit: int = CLAIM_LIMIT,
    lease_s: float = LEASE_S,
    shards: Shards | None = None,
) -> tuple[Claim, ...]:
    """Take up to ``limit`` slots due before now + look-ahead, in one statement.

    ``owner`` is unique among living collectors. Safe against any number of concurrent claimers:
    PostgreSQL passes over rows another one is taking, SQLite runs one writer at a time. The lease
    lasts from the slot (or now) for the monitor's timeout and ``lease_s`` more. With ``shards``
    only monitors of those held are taken: a monitor's shard is its id modulo their number.
    """
    if shards is not None and not shards.held:
        return ()
    now_ms = to_ms(now)
    later = f"CASE WHEN next_due_ms > {now_ms} THEN next_due_ms ELSE {now_ms} END"
    statement = _CLAIM.format(
        table=_TABLE,
        lock=_lock_clause(),
        begin=f"({later})",
        half=f"({later} + interval_ms / 2)",
        shards=_shards_clause(shards),
    )
    parameters: dict[str, str | int] = {
        "owner": owner,
        "lease_ms": round(lease_s * 1000),
        "now_ms": now_ms,
        "horizon_ms": now_ms + round(look_ahead_s * 1000),
        "location": location,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows = cursor.fetchall()
    claims = [
        Claim(
            monitor_id=row[0],
            slot_ms=row[1],
            epoch=row[2],
            config_version=row[3],
            interval_ms=row[4],
            timeout_ms=row[5],
        )
        for row in rows
    ]
    return tuple(sorted(claims, key=lambda claim: claim.slot_ms))


def _shards_clause(shards: Shards | None) -> str:
    if shards is None:
        return ""
    held = ", ".join(str(shard) for shard in sorted(shards.held))
    return f"AND monitor_id %% {shards.count} IN ({held})"


def slots_skip(*, now: datetime, location: str) -> int:
    """Pass over slots that are too late to be worth running; return of how many monitors."""
    now_ms = to_ms(now)
    wait_ms = round(LONGEST_WAIT_AFTER_SKIP_S * 1000)
    with connection.cursor() as cursor:
        cursor.execute(
            _SKIP.format(table=_TABLE, lock=_lock_clause()),
            {"now_ms": now_ms, "location": location, "wait_ms": wait_ms},
        )
        return int(cursor.rowcount)


def leases_expire(*, now: datetime) -> int:
    """Make due at once what a lost collector held; return how many monitors that were."""
    now_ms = to_ms(now)
    expired = MonitorSchedule.objects.across_orgs(reason=_ACROSS).filter(
        ~Q(lease_owner=""), lease_until_ms__lte=now_ms
    )
    return _leases_take_back(expired, now_ms)


def leases_release(*, owner: str | None, now: datetime) -> int:
    """Give back what ``owner`` still holds; None means everybody (a sole collector's start)."""
    held = MonitorSchedule.objects.across_orgs(reason=_ACROSS).exclude(lease_owner="")
    if owner is not None:
        held = held.filter(lease_owner=owner)
    return _leases_take_back(held, to_ms(now))


def leases_renew(
    *, owner: str, monitors: Sequence[int], now: datetime, lease_s: float = LEASE_S
) -> int:
    """Prolong the leases of checks that still wait inside ``owner``'s engine."""
    if not monitors:
        return 0
    held = MonitorSchedule.objects.across_orgs(reason=_ACROSS).filter(
        lease_owner=owner, monitor_id__in=monitors
    )
    until_ms = to_ms(now) + round(lease_s * 1000)
    return held.update(lease_until_ms=F("timeout_ms") + until_ms)


def schedule_make_due(*, monitors: Sequence[int], now: datetime) -> int:
    """Make active monitors due now, as after a push; return how many had been due later."""
    now_ms = to_ms(now)
    rows = MonitorSchedule.objects.across_orgs(reason="keys come from scoped callers")
    return rows.filter(monitor_id__in=monitors, is_active=True, next_due_ms__gt=now_ms).update(
        next_due_ms=now_ms
    )


def schedule_renew(*, monitor: Monitor, now: datetime) -> None:
    """Put a new, edited, paused or resumed monitor on the grid, due at once if it is enabled.

    Results still in flight are fenced off by the new epoch. In a maintenance window without
    collection it waits for the end of that.
    """
    held = MonitorMaintenance.objects.for_org(monitor.org_id).filter(
        monitor=monitor, is_collecting=False
    )
    interval_ms = round(monitor.interval_s * 1000)
    values: Mapping[str, Any] = {
        "location": monitor.location,
        "is_active": monitor.is_enabled and not held.exists(),
        "interval_ms": interval_ms,
        "timeout_ms": round(monitor.timeout_s * 1000),
        "phase_ms": phase_ms(monitor.uid, interval_ms),
        "next_due_ms": to_ms(now),
        "lease_owner": "",
        "lease_until_ms": 0,
        "claimed_slot_ms": 0,
        "done_slot_ms": 0,
        "config_version": monitor.config_version,
    }
    rows = MonitorSchedule.objects.for_org(monitor.org_id).filter(monitor=monitor)
    if not rows.update(epoch=F("epoch") + 1, **values):
        MonitorSchedule.objects.create_for(monitor.org, monitor=monitor, **values)


def slots_finish(*, finished: Sequence[tuple[int, int, int, int | None]]) -> frozenset[int]:
    """Record (monitor, epoch, slot, retry due or None) as done; return the monitors still ours.

    A result counts once and only under its epoch: what was edited, paused, taken over or already
    recorded is left out. The lease ends unless a later slot has been claimed meanwhile. Call it
    inside the transaction that stores the results.
    """
    if not finished:
        return frozenset()
    with connection.cursor() as cursor:
        cursor.execute(*_finish_statement(finished))
        return frozenset(row[0] for row in cursor.fetchall())


def _leases_take_back(rows: Any, now_ms: int) -> int:
    count: int = rows.update(
        lease_owner="",
        lease_until_ms=0,
        epoch=F("epoch") + 1,
        next_due_ms=now_ms,
    )
    return count


def _lock_clause() -> str:
    return "FOR UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else ""


_FINISH = """
UPDATE {table} SET
  done_slot_ms = r.slot,
  lease_owner = CASE WHEN claimed_slot_ms <= r.slot THEN '' ELSE lease_owner END,
  lease_until_ms = CASE WHEN claimed_slot_ms <= r.slot THEN 0 ELSE lease_until_ms END,
  next_due_ms = CASE WHEN r.retry < next_due_ms THEN r.retry ELSE next_due_ms END
FROM ({rows}) AS r
WHERE monitor_id = r.id AND {table}.epoch = r.expected AND done_slot_ms < r.slot
RETURNING monitor_id
"""
_FINISH_ROWS_POSTGRESQL = (
    "SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])"
    " AS x(id, expected, slot, retry)"
)
_FINISH_ROWS_SQLITE = (
    "SELECT value->>0 AS id, value->>1 AS expected, value->>2 AS slot, value->>3 AS retry"
    " FROM json_each(%s)"
)


def _finish_statement(
    finished: Sequence[tuple[int, int, int, int | None]],
) -> tuple[str, list[Any]]:
    if connection.vendor == "postgresql":
        columns = [list(column) for column in zip(*finished, strict=True)]
        return _FINISH.format(table=_TABLE, rows=_FINISH_ROWS_POSTGRESQL), columns
    rows = json.dumps(finished)
    return _FINISH.format(table=_TABLE, rows=_FINISH_ROWS_SQLITE), [rows]
