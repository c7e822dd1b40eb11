"""MariaDB, asked by those who try to write, stay or read more than they may."""

import time
from collections.abc import Callable, Sequence
from typing import cast

import pytest

from detectviz.contracts.datasource import (
    Datasource,
    DatasourceContext,
    HealthChecker,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.errors import DeadlineExceededError, NetworkError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.datasource_fakes import (
    END_MS,
    HOUR_MS,
    FakeConnector,
    data_query,
    datasource_context,
    datasource_settings,
)
from detectviz.testing.mariadb import MariadbServer
from detectviz.testing.plugins import built_in_plugins

pytestmark = pytest.mark.services("mariadbd", "mariadb-install-db")

ContextMaker = Callable[..., DatasourceContext]


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "mysql")


def ask(context: DatasourceContext, sql: str, form: str = "table") -> Sequence[Frame]:
    return plugin().query(data_query("mysql", {"sql": sql, "format": form}), context)


def cells(context: DatasourceContext, sql: str) -> list[object]:
    (frame,) = ask(context, sql)
    return [field.values[0] for field in frame.fields]


@pytest.fixture
def make_context(mariadb: MariadbServer) -> ContextMaker:
    """Return a function that makes the context of calls, as a superuser unless told otherwise."""

    def make(
        *,
        user: str = "root",
        host: str = "db.test",
        config: JsonObject | None = None,
        timeout_s: float = 10.0,
    ) -> DatasourceContext:
        settings = datasource_settings(
            "mysql",
            url=f"{host}:{mariadb.port}",
            user=user,
            database="test",
            json_data=config,
            secrets={"password": "reader-secret-71"} if user == "reader" else {},
        )
        names = {"db.test": "127.0.0.1", "wrong.test": "127.0.0.1"}
        return datasource_context(
            settings, connector=FakeConnector(addresses=names), timeout_s=timeout_s
        )

    return make


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; DELETE FROM points",
        "SELECT 1; COMMIT; DELETE FROM points",
        "COMMIT; DELETE FROM points",
        "DELETE FROM points",
        "WITH x AS (SELECT 1) DELETE FROM points",
        "/*! DELETE FROM points */",
        "/*M! DELETE FROM points */",
        "SELECT 1 /*! ; DELETE FROM points */",
        "SELECT 1; -- x\nTRUNCATE points",
        "SET SESSION TRANSACTION READ WRITE",
        "SET STATEMENT max_statement_time = 0 FOR SELECT 1",
        "SELECT nextval(numbers)",
        "CALL anything()",
    ],
)
def test_even_a_superuser_writes_nothing(make_context: ContextMaker, sql: str) -> None:
    context = make_context()
    with pytest.raises(QueryError):
        ask(context, sql)
    assert cells(context, "SELECT count(*) FROM points") == [120]


def test_what_a_statement_sets_or_locks_is_gone_at_the_next(make_context: ContextMaker) -> None:
    context = make_context()
    assert cells(context, "SELECT get_lock('x', 0), @kept := 1") == [1, 1]
    assert cells(context, "SELECT is_free_lock('x'), @kept") == [1, None]


def test_the_server_stops_a_statement_at_its_time(
    make_context: ContextMaker, mariadb: MariadbServer
) -> None:
    context = make_context(timeout_s=1.0)
    endless = "SELECT count(*) FROM points a, points b, points c, points d, points e, points f"
    with pytest.raises(DeadlineExceededError):
        ask(context, endless)
    running = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%points f%'"
    watching = make_context()
    ends_at = time.monotonic() + 20
    while cells(watching, f"{running} AND id <> connection_id()") != [0]:
        assert time.monotonic() < ends_at


def test_types_become_those_of_frames(make_context: ContextMaker) -> None:
    (frame,) = ask(
        make_context(),
        """SELECT CAST(1.5 AS DECIMAL(4,2)) AS n, DATE '2026-01-15' AS d, x'00ff' AS raw,
        1 > 0 AS b,
        TIMESTAMP '2026-01-15 12:00:00' AS t, FROM_UNIXTIME(1768478400) AS u, 2e0 AS f,
        'ä' AS s, NULL AS empty, TIME '12:30:00' AS clock, CAST('0000-00-00' AS DATE) AS never""",
    )
    found = {field.name: (field.type.value, field.values[0]) for field in frame.fields}
    assert found == {
        "n": ("number", 1.5),
        "d": ("time", END_MS - 12 * HOUR_MS),
        "raw": ("string", "\\x00ff"),
        "b": ("number", 1),
        "t": ("time", END_MS),
        "u": ("time", END_MS),
        "f": ("number", 2.0),
        "s": ("string", "ä"),
        "empty": ("string", None),
        "clock": ("string", "12:30:00"),
        "never": ("time", None),
    }


def test_rows_become_series_with_labels_and_gaps(make_context: ContextMaker) -> None:
    sql = """SELECT $__timeGroupAlias(at, 30m, previous), host, sum(used) AS used FROM points
             WHERE $__timeFilter(at) AND NOT (host = 'b' AND used > 30) # $__nothing
             GROUP BY 1, 2 ORDER BY 1"""
    (frame,) = ask(make_context(), sql, "time_series")
    assert list(frame.fields[0].values) == [END_MS - HOUR_MS, END_MS - HOUR_MS // 2, END_MS]
    assert [(dict(each.labels), list(each.values)) for each in frame.fields[1:]] == [
        ({"host": "a"}, [435.0, 1335.0, 1335.0]),
        ({"host": "b"}, [435.0, 30.0, 30.0]),
    ]


def test_the_editor_is_told_tables_and_columns(make_context: ContextMaker) -> None:
    caller, context = cast("ResourceCaller", plugin()), make_context(user="reader")
    tables = caller.call_resource(ResourceRequest(path="tables"), context)
    assert {"schema": "test", "name": "points"} in tables["tables"]  # type: ignore[operator] # a list
    request = ResourceRequest(path="columns", parameters={"table": "points' OR '1"})
    assert caller.call_resource(request, context) == {"columns": []}


def test_the_health_check_warns_of_an_account_that_can_write(make_context: ContextMaker) -> None:
    checker = cast("HealthChecker", plugin())
    writer = checker.check_health(make_context(config={"tls_mode": "disable"}))
    reader = checker.check_health(make_context(user="reader"))
    assert "WARNING" in writer.message
    assert "not encrypted" in writer.message
    assert (writer.details["can_write"], reader.details["warnings"]) == (True, [])


@pytest.mark.parametrize(
    ("mode", "host", "has_ca", "works"),
    [
        ("require", "wrong.test", False, True),
        ("verify-ca", "wrong.test", True, True),
        ("verify-full", "db.test", True, True),
        ("verify-full", "wrong.test", True, False),
        ("verify-full", "db.test", False, False),
    ],
)
def test_tls_verifies_the_name_whatever_the_address(  # noqa: PLR0917 - columns of a table
    make_context: ContextMaker,
    mariadb: MariadbServer,
    mode: str,
    host: str,
    has_ca: bool,
    works: bool,
) -> None:
    config = {"tls_mode": mode, "tls_ca": mariadb.ca_pem if has_ca else ""}
    context = make_context(host=host, config=config)
    if works:
        assert cells(context, "SELECT 1") == [1]
    else:
        with pytest.raises(NetworkError):
            ask(context, "SELECT 1")
