"""Which of a tenant's series are active: what ``max_series`` counts.

Active is a series whose newest raw sample is of the last two hours, or that was made in them (so
old samples of ever new series are no way around the limit). Both are read from committed rows:
the answer is the same in every process and after a restart.
"""

import sqlite3
from dataclasses import dataclass

from detectviz.tsdb.mirror import Mirror

ACTIVE_MS = 7_200_000
KNOWN_PER_ACTIVE = 10  # silent series stay known, and every process keeps their labels in memory
_STEP_MS = 300_000
_COUNT_HOLDS_MS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many series a tenant may have more (None: any number), and why not more than that."""

    series: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    at_ms: int
    epoch: int
    known: int
    active: int


class ActiveSeries:
    """Counts of one process, taken anew when they are ten seconds old. Its owner locks."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}

    def room(
        self,
        connection: sqlite3.Connection,
        mirror: Mirror,
        tenant: str,
        *,
        wanted: int,
        max_series: int | None,
        now_ms: int,
    ) -> Room:
        """Say how many of the ``wanted`` new series may be made; ``mirror`` follows the tails."""
        if max_series is None:
            return Room(series=None)
        reason = f"the limit of {max_series} series is reached"
        known = len(mirror.index(tenant))
        if known + wanted <= max_series:
            return Room(series=wanted)
        most = max_series * KNOWN_PER_ACTIVE
        if known >= most:
            return Room(
                series=0,
                reason=f"{reason}: {known} are kept, active and silent, {most} at most",
            )
        count = self._count(connection, mirror, tenant, known=known, now_ms=now_ms)
        active = count.active + known - count.known  # what was made since is active
        return Room(series=max(0, min(max_series - active, most - known)), reason=reason)

    def _count(
        self,
        connection: sqlite3.Connection,
        mirror: Mirror,
        tenant: str,
        *,
        known: int,
        now_ms: int,
    ) -> _Count:
        count = self._counts.get(tenant)
        if (
            count is None
            or count.epoch != mirror.epoch
            or not 0 <= now_ms - count.at_ms < _COUNT_HOLDS_MS
        ):
            active = active_count(connection, mirror, tenant, now_ms)
            count = _Count(at_ms=now_ms, epoch=mirror.epoch, known=known, active=active)
            self._counts[tenant] = count
        return count


def active_count(connection: sqlite3.Connection, mirror: Mirror, tenant: str, now_ms: int) -> int:
    """Count a tenant's active series; ``mirror`` follows the tails."""
    since_ms = now_ms - ACTIVE_MS
    ids = mirror.index(tenant).ids()
    is_active = mirror.tail_ms[ids] >= since_ms
    return int((is_active | (ids > _last_made_before(connection, since_ms))).sum())


def note_made(connection: sqlite3.Connection, last_id: int, now_ms: int) -> None:
    """Remember when series up to ``last_id`` were made, to five minutes."""
    connection.execute(
        "INSERT INTO made VALUES (?, ?) ON CONFLICT (from_ms) DO UPDATE"
        " SET last_id = MAX(last_id, excluded.last_id)",
        (now_ms - now_ms % _STEP_MS, last_id),
    )
    connection.execute(
        "DELETE FROM made WHERE from_ms < (SELECT MAX(from_ms) FROM made WHERE from_ms <= ?)",
        (now_ms - ACTIVE_MS - _STEP_MS,),
    )


def _last_made_before(connection: sqlite3.Connection, at_ms: int) -> int:
    (last_id,) = connection.execute(
        "SELECT IFNULL(MAX(last_id), 0) FROM made WHERE from_ms <= ?", (at_ms - _STEP_MS,)
    ).fetchone()
    return int(last_id)
