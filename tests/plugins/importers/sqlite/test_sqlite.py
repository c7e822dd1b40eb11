"""Rows are read from real SQLite files, which nothing can change."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.records import LogRecord, MetricRecord, RowRecord
from detectviz.contracts.types import JsonObject
from detectviz.testing.datasource_fakes import FakeConnector
from detectviz.testing.importers import ImporterSuite, make_importer_context, records_of
from plugins.importers.sqlite.importer import SqliteImporter


def context(path: Path, **config: object) -> ImporterContext:
    options: JsonObject = {"path": "data", **config}  # type: ignore[dict-item]  # tests pass JSON
    files = FakeConnector(files={"data": str(path)})
    return make_importer_context("sqlite", options, connector=files)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(path)) as session, session:
        session.execute("CREATE TABLE points (id INTEGER, at TEXT, host TEXT, used REAL)")
        session.executemany(
            "INSERT INTO points VALUES (?, ?, 'a', ?)",
            [(9 - number, f"2026-01-31T08:30:0{number}Z", number / 2) for number in range(6)],
        )
    return path


class TestConformance(ImporterSuite):
    """A table of six rows."""

    name = "sqlite"

    @pytest.fixture
    def good_context(self, file: Path) -> ImporterContext:
        return context(file, table="points")

    @pytest.fixture
    def bad_context(self, file: Path) -> ImporterContext:
        return context(file, table="missing")


def test_a_query_is_read_in_the_order_of_its_key(file: Path) -> None:
    query = "SELECT id, used FROM points WHERE used < 1; -- all"
    options = {"query": query.partition(";")[0], "key_column": "id"}
    records = records_of(list(SqliteImporter().read(context(file, **options))))
    assert records == [
        RowRecord(values={"id": 8, "used": 0.5}),
        RowRecord(values={"id": 9, "used": 0.0}),
    ]


def test_rows_become_samples_and_lines(file: Path) -> None:
    options = {"table": "points", "time_column": "at", "label_columns": ["host"]}
    metrics = {**options, "as": "metrics", "value_columns": ["used"]}
    record = records_of(list(SqliteImporter().read(context(file, **metrics))))[1]
    assert isinstance(record, MetricRecord)
    assert (record.labels, record.value) == ({"__name__": "used", "host": "a"}, 0.5)
    logs = {**options, "as": "logs", "body_column": "id"}
    record = records_of(list(SqliteImporter().read(context(file, **logs))))[0]
    assert isinstance(record, LogRecord)
    assert record.body == "9"


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM points RETURNING id",
        "SELECT 1 AS id); DROP TABLE points; --",
        "SELECT load_extension('x') AS id",
        "SELECT id FROM points, (SELECT writefile('x', 'y'))",
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) id FROM n",
    ],
)
def test_a_statement_that_does_more_than_read_or_too_much_is_stopped(
    file: Path, query: str
) -> None:
    before = file.read_bytes()
    limited = replace(context(file, query=query, key_column="id"), timeout_s=0.2)
    with pytest.raises(PluginError, match="cannot be read"):
        list(SqliteImporter().read(limited))
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "options", [{}, {"table": "points", "query": "SELECT 1"}, {"query": "SELECT 1"}]
)
def test_what_to_read_must_be_said_once(file: Path, options: dict[str, str]) -> None:
    with pytest.raises(PluginError) as refused:
        list(SqliteImporter().read(context(file, **options)))
    assert refused.value.permanent
