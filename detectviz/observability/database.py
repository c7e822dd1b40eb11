"""What the SQL database is asked and how long it takes; its size and sessions."""

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from prometheus_client import Histogram

from detectviz.observability.scrape import Reading, ScrapedMetric, scraped

BUCKETS_S = (0.0002, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5)
OTHER = "other"
MOST_PENDING = 64
LONGEST_PENDING_S = 5.0
_TYPES = {word: word.lower() for word in ("SELECT", "INSERT", "UPDATE", "DELETE")}

query_duration = Histogram(
    "detectviz_db_query_duration_seconds",
    "Duration of SQL statements as the application waited for them.",
    ["query_type"],
    buckets=BUCKETS_S,
)
SIZE = ScrapedMetric(
    name="detectviz_db_size_bytes",
    help="Size on disk: the SQLite file with its log, or what PostgreSQL says.",
    labels=("database",),
)
ACTIVE = ScrapedMetric(
    name="detectviz_db_connections_active",
    help="Sessions of this database that are at work (PostgreSQL only).",
)
IDLE = ScrapedMetric(
    name="detectviz_db_connections_idle",
    help="Sessions of this database that wait for work (PostgreSQL only).",
)


class QueryTimer:
    """Times the statements of one connection, which one thread uses at a time.

    A histogram's own ``observe`` costs several microseconds under its lock, as much as some
    statements. So durations are collected and added in bulk: after 64, or 5 s later.
    """

    __slots__ = ("_added_at", "_pending")

    def __init__(self) -> None:
        self._pending: list[tuple[object, float]] = []
        self._added_at = time.perf_counter()

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: Any,
        params: Any,
        many: bool,  # noqa: FBT001 - Django calls it so
        context: Any,
    ) -> Any:
        """Run one statement and note how long it took."""
        started = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            ended = time.perf_counter()
            self._pending.append((sql, ended - started))
            if len(self._pending) >= MOST_PENDING or ended - self._added_at > LONGEST_PENDING_S:
                self._added_at = ended
                self.add()

    def add(self) -> None:
        """Add what was collected to the histogram."""
        pending, self._pending = self._pending, []
        counts: dict[tuple[str, int], int] = defaultdict(int)
        sums: dict[str, float] = defaultdict(float)
        for sql, took_s in pending:
            word = _TYPES.get(sql[:6], OTHER) if isinstance(sql, str) else OTHER
            counts[word, bisect_left(BUCKETS_S, took_s)] += 1
            sums[word] += took_s
        # The library has no way to add many at once; these attributes are what observe() adds to.
        for (word, bucket), count in counts.items():
            query_duration.labels(word)._buckets[bucket].inc(count)  # noqa: SLF001 - see above
        for word, took_s in sums.items():
            query_duration.labels(word)._sum.inc(took_s)  # noqa: SLF001 - see above


def queries_measure(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Measure a connection that was opened; receives Django's ``connection_created``."""
    if not any(isinstance(wrapper, QueryTimer) for wrapper in connection.execute_wrappers):
        connection.execute_wrappers.insert(0, QueryTimer())


@scraped("database", SIZE, ACTIVE, IDLE)
def database_read() -> Iterator[Reading]:
    """Look at the database as a whole."""
    name = connections["default"].alias
    if connection.vendor == "sqlite":
        yield SIZE, (name,), float(_file_bytes(Path(connection.settings_dict["NAME"])))
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        yield SIZE, (name,), float(cursor.fetchone()[0])
        cursor.execute(
            "SELECT COUNT(*) FILTER (WHERE state <> 'idle'), COUNT(*) FILTER (WHERE state = 'idle')"
            " FROM pg_stat_activity WHERE datname = current_database()"
        )
        active, idle = cursor.fetchone()
    yield ACTIVE, (), float(active)
    yield IDLE, (), float(idle)


def _file_bytes(path: Path) -> int:
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
