"""SQLite files: which are read, and what of them."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from detectviz.contracts.datasource import (
    Datasource,
    DatasourceContext,
    HealthChecker,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.errors import ConfigurationError, PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.types import PluginKind
from detectviz.testing.datasource_fakes import (
    END_MS,
    HOUR_MS,
    FakeConnector,
    data_query,
    datasource_context,
    datasource_settings,
)
from detectviz.testing.plugins import built_in_plugins


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "sqlite")


def ask(context: DatasourceContext, sql: str, form: str = "table") -> Sequence[Frame]:
    return plugin().query(data_query("sqlite", {"sql": sql, "format": form}), context)


def make_context(tmp_path: Path, database: str = "a.db") -> DatasourceContext:
    connector = FakeConnector(files={"a.db": str(tmp_path / "a.db")})
    settings = datasource_settings("sqlite", database=database, json_data={"busy_timeout": "0s"})
    return datasource_context(settings, connector=connector)


@pytest.fixture
def context(tmp_path: Path) -> DatasourceContext:
    with closing(sqlite3.connect(tmp_path / "a.db")) as session, session:
        session.execute("CREATE TABLE points (at TEXT, epoch INT, host TEXT, used REAL)")
        session.execute("CREATE VIEW hosts AS SELECT DISTINCT host FROM points")
        for minute in range(0, 60, 10):
            row = (f"2026-01-15T11:{minute}:00Z", END_MS // 1000 - 3600 + minute * 60, "a", minute)
            session.execute("INSERT INTO points VALUES (?, ?, ?, ?)", row)
    return make_context(tmp_path)


@pytest.mark.parametrize(
    ("time", "condition"),
    [
        ("$__timeGroupAlias(at, 30m, 0)", "$__timeFilter(at)"),
        ("$__unixEpochGroupAlias(epoch, 30m, 0)", "$__unixEpochFilter(epoch)"),
    ],
)
def test_text_and_seconds_become_series(
    context: DatasourceContext, time: str, condition: str
) -> None:
    sql = f"SELECT {time}, host, sum(used) AS used FROM points WHERE {condition} GROUP BY 1, 2"
    (frame,) = ask(context, sql, "time_series")
    assert list(frame.fields[0].values) == [END_MS - HOUR_MS, END_MS - HOUR_MS // 2, END_MS]
    assert list(frame.fields[1].values) == [30.0, 120.0, 0.0]
    assert frame.fields[1].labels == {"host": "a"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; DELETE FROM points",
        "WITH x AS (SELECT 1) INSERT INTO points (host) SELECT 'b'",
        "WITH x AS (SELECT 1) UPDATE points SET host = 'b'",
        "EXPLAIN DELETE FROM points",
        "SELECT * FROM pragma_journal_mode('delete')",
        "VALUES (1); VACUUM INTO '/tmp/copy.db'",
        "SELECT writefile('/tmp/x', 'y')",
        "SELECT readfile('/etc/passwd')",
        "SELECT fts3_tokenizer('simple')",
    ],
)
def test_nothing_but_reading_is_done(context: DatasourceContext, sql: str) -> None:
    with pytest.raises(QueryError):
        ask(context, sql)
    (frame,) = ask(context, "SELECT count(*), min(host) FROM points")
    assert [field.values[0] for field in frame.fields] == [6, "a"]


def test_files_that_are_outside_missing_or_none_are_told(
    context: DatasourceContext, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError):
        ask(make_context(tmp_path, ""), "SELECT 1")
    with pytest.raises(PluginError, match="outside"):
        ask(make_context(tmp_path, "/etc/passwd"), "SELECT 1")
    (tmp_path / "a.db").write_text("this is a text and no database, whatever it is called")
    with pytest.raises(PluginError, match="cannot be read"):
        ask(context, "SELECT * FROM points")
    (tmp_path / "a.db").unlink()
    health = cast("HealthChecker", plugin()).check_health(context)
    assert health.status == "error"
    assert not (tmp_path / "a.db").exists(), "it is not made by reading it"


def test_a_file_somebody_else_has_locked_may_be_tried_again(
    context: DatasourceContext, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(PluginError) as caught:
            ask(context, "SELECT * FROM points")
    assert not caught.value.permanent


def test_text_that_is_none_is_refused(context: DatasourceContext) -> None:
    with pytest.raises(QueryError, match="UTF-8"):
        ask(context, "SELECT CAST(x'ff' AS TEXT)")


def test_the_editor_is_told_tables_and_columns(context: DatasourceContext) -> None:
    caller = cast("ResourceCaller", plugin())
    tables = caller.call_resource(ResourceRequest(path="tables"), context)
    assert tables == {"tables": [{"name": "hosts"}, {"name": "points"}]}
    request = ResourceRequest(path="columns", parameters={"table": "points"})
    columns = caller.call_resource(request, context)
    assert {"name": "used", "type": "REAL"} in columns["columns"]  # type: ignore[operator] # a list
