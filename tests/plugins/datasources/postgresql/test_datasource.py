"""PostgreSQL, asked by those who try to write, stay or read more than they may."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import cast

import psycopg
import pytest

from detectviz.contracts.datasource import (
    Datasource,
    DatasourceContext,
    HealthChecker,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.errors import DeadlineExceededError, NetworkError, PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.datasource_fakes import (
    END_MS,
    HOUR_MS,
    FakeConnector,
    MemoryInstances,
    data_query,
    datasource_context,
    datasource_settings,
)
from detectviz.testing.plugins import built_in_plugins

pytestmark = pytest.mark.services("initdb", "postgres")

ContextMaker = Callable[..., DatasourceContext]


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "postgresql")


def ask(context: DatasourceContext, sql: str, form: str = "table") -> Sequence[Frame]:
    return plugin().query(data_query("postgresql", {"sql": sql, "format": form}), context)


def cells(context: DatasourceContext, sql: str) -> list[object]:
    (frame,) = ask(context, sql)
    return [field.values[0] for field in frame.fields]


@pytest.fixture
def make_context(postgresql: str) -> Iterator[ContextMaker]:
    """Return a function that makes the context of calls, as a superuser unless told otherwise."""
    made: list[MemoryInstances] = []

    def make(
        *,
        user: str = "postgres",
        host: str = "db.test",
        config: JsonObject | None = None,
        timeout_s: float = 10.0,
    ) -> DatasourceContext:
        _, _, port = postgresql.partition(":")
        made.append(MemoryInstances())
        return datasource_context(
            datasource_settings(
                "postgresql",
                url=f"{host}:{port}",
                user=user,
                database="test",
                json_data=config,
                secrets={"password": "reader-secret-71"},
            ),
            connector=FakeConnector(addresses={"db.test": "127.0.0.1", "wrong.test": "127.0.0.1"}),
            instances=made[-1],
            timeout_s=timeout_s,
        )

    yield make
    for instances in made:
        instances.close()


TRICKS = [
    "SELECT 1; DELETE FROM points",
    "SELECT 1; COMMIT; DELETE FROM points",
    "WITH gone AS (DELETE FROM points RETURNING 1) SELECT * FROM gone",
    "COMMIT; DELETE FROM points",
    "EXPLAIN ANALYZE DELETE FROM points",
    "SELECT set_config('transaction_read_only', 'off', false); DELETE FROM points",
    "DO $$ BEGIN COMMIT; DELETE FROM points; END $$",
    "COPY points TO PROGRAM 'cat'",
    "SELECT * INTO kept FROM points",
    "SET default_transaction_read_only = off",
    "/* SELECT */ TRUNCATE points",
    "SELECT nextval('numbers')",
    "TABLE points; DROP TABLE points",
]


@pytest.mark.parametrize("sql", TRICKS)
def test_even_a_superuser_writes_nothing(make_context: ContextMaker, sql: str) -> None:
    context = make_context()
    with pytest.raises(QueryError):
        ask(context, sql)
    assert cells(context, "SELECT count(*) FROM points") == [120]


def test_what_a_statement_sets_is_gone_at_the_next(make_context: ContextMaker) -> None:
    context = make_context(timeout_s=2.0)
    for setting in ("statement_timeout", "default_transaction_read_only", "search_path"):
        ask(context, f"SELECT set_config('{setting}', '0', false)")
    ask(context, "SELECT pg_advisory_lock(71)")
    assert cells(context, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [0]
    with pytest.raises(QueryError):
        ask(context, "WITH gone AS (DELETE FROM points RETURNING 1) SELECT * FROM gone")
    with pytest.raises(DeadlineExceededError):
        ask(context, "SELECT pg_sleep(30)")


def test_a_large_object_made_by_a_query_is_not_kept(make_context: ContextMaker) -> None:
    context = make_context()
    with suppress(QueryError):
        ask(context, "SELECT lo_create(4711)")
    assert cells(context, "SELECT count(*) FROM pg_largeobject_metadata") == [0]


def test_sessions_are_used_again_and_not_after_a_timeout(make_context: ContextMaker) -> None:
    context = make_context()
    first, second = (cells(context, "SELECT pg_backend_pid()") for _ in range(2))
    assert first == second


def test_the_server_stops_what_nobody_waits_for(
    make_context: ContextMaker, postgresql: str
) -> None:
    with pytest.raises(PluginError):
        ask(make_context(timeout_s=0.2), "SELECT pg_sleep(61)")
    with psycopg.connect(f"postgresql://postgres@{postgresql}/test") as session:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(61%'"
        asked += " AND state = 'active' AND pid <> pg_backend_pid()"
        ends_at = time.monotonic() + 20  # and of 61 s that it would sleep
        while session.execute(asked).fetchone() != (0,):
            assert time.monotonic() < ends_at
            session.rollback()


def test_types_become_those_of_frames(make_context: ContextMaker) -> None:
    (frame,) = ask(
        make_context(),
        """SELECT 1.5::numeric AS n, true AS b, '2026-01-15'::date AS d, '\\x00ff'::bytea AS raw,
        '{"a": [1]}'::jsonb AS j, ARRAY[1, 2] AS arr, timestamp '2026-01-15 12:00' AS t,
        timestamptz '2026-01-15T13:00:00+01' AS tz, NULL::int AS empty, interval '1 day' AS i,
        'NaN'::float AS nan, '"x"'::json AS text, gen_random_uuid() IS NULL AS u, 1 AS n""",
    )
    found = {field.name: (field.type.value, field.values[0]) for field in frame.fields}
    assert found.pop("nan")[0] == "number"
    assert found == {
        "n": ("number", 1.5),
        "b": ("boolean", True),
        "d": ("time", END_MS - 12 * HOUR_MS),
        "raw": ("string", "\\x00ff"),
        "j": ("other", {"a": [1]}),
        "arr": ("other", [1, 2]),
        "t": ("time", END_MS),
        "tz": ("time", END_MS),
        "empty": ("number", None),
        "i": ("string", "1 day, 0:00:00"),
        "text": ("other", "x"),
        "u": ("boolean", False),
        "n 2": ("number", 1),
    }


def test_rows_become_series_with_labels_and_gaps(make_context: ContextMaker) -> None:
    sql = """SELECT $__timeGroupAlias(at, 30m, 0), host, sum(used) AS used FROM points
             WHERE $__timeFilter(at) AND NOT (host = 'b' AND used > 30) GROUP BY 1, 2 ORDER BY 1"""
    (frame,) = ask(make_context(), sql, "time_series")
    assert frame.shape == "time-series"
    assert list(frame.fields[0].values) == [END_MS - HOUR_MS, END_MS - HOUR_MS // 2, END_MS]
    assert [(dict(each.labels), list(each.values)) for each in frame.fields[1:]] == [
        ({"host": "a"}, [435.0, 1335.0, 0.0]),
        ({"host": "b"}, [435.0, 30.0, 0.0]),
    ]
    assert "$__" not in frame.executed_query


def test_the_editor_is_told_tables_and_columns(make_context: ContextMaker) -> None:
    caller, context = cast("ResourceCaller", plugin()), make_context(user="reader")
    tables = caller.call_resource(ResourceRequest(path="tables"), context)
    assert tables == {"tables": [{"schema": "public", "name": "points"}]}
    request = ResourceRequest(path="columns", parameters={"table": "points"})
    assert "timestamp with time zone" in str(caller.call_resource(request, context))


def test_the_health_check_warns_of_a_role_that_can_write(make_context: ContextMaker) -> None:
    checker = cast("HealthChecker", plugin())
    writer, reader = (
        checker.check_health(make_context()),
        checker.check_health(make_context(user="reader")),
    )
    assert "WARNING" in writer.message
    assert "superuser" in writer.message
    assert (writer.details["can_write"], reader.details["can_write"]) == (True, False)


@pytest.mark.parametrize(
    ("mode", "host", "has_ca", "works"),
    [
        ("require", "wrong.test", False, True),
        ("verify-ca", "wrong.test", True, True),
        ("verify-full", "db.test", True, True),
        ("verify-full", "wrong.test", True, False),
        ("verify-full", "db.test", False, False),
        ("verify-ca", "db.test", False, False),
    ],
)
def test_tls_verifies_the_name_whatever_the_address(  # noqa: PLR0917 - columns of a table
    make_context: ContextMaker,
    postgresql_ca: str,
    mode: str,
    host: str,
    has_ca: bool,
    works: bool,
) -> None:
    config = {"tls_mode": mode, "tls_ca": postgresql_ca if has_ca else ""}
    context = make_context(host=host, config=config)
    sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    if works:
        assert cells(context, sql) == [True]
    else:
        with pytest.raises(NetworkError):
            ask(context, sql)
