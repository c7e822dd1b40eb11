"""Records become rows of a real SQLite file, each once."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.records import Record, RowRecord
from detectviz.contracts.types import JsonObject
from detectviz.testing.datasource_fakes import FakeConnector
from detectviz.testing.exporters import ExporterSuite, make_exporter_context
from detectviz.testing.records import make_log, make_metric, make_row
from plugins.exporters.sqlite.exporter import SqliteExporter


def context(path: Path, batch_id: str = "b1", **config: str) -> ExporterContext:
    options: JsonObject = {"path": "data", **config}
    connector = FakeConnector(files={"data": str(path)})
    return make_exporter_context("sqlite", options, connector=connector, batch_id=batch_id)


def rows(path: Path, statement: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as session:
        cursor = session.execute(statement)
        names = [each[0] for each in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "flow.sqlite"
    path.touch()
    return path


class TestConformance(ExporterSuite):
    """An empty file."""

    name = "sqlite"

    @pytest.fixture
    def good_context(self, file: Path) -> ExporterContext:
        self._file = file
        return context(file)

    @pytest.fixture
    def bad_context(self, tmp_path: Path) -> ExporterContext:
        return context(tmp_path / "missing")

    def stored(self) -> int:
        tables = rows(self._file, "SELECT name FROM sqlite_schema WHERE type = 'table'")
        counts = (rows(self._file, f"SELECT count(*) n FROM {each['name']}") for each in tables)
        return sum(found[0]["n"] for found in counts)


def test_a_batch_written_again_is_there_once(file: Path) -> None:
    for batch_id in ("b1", "b1", "b2"):
        SqliteExporter().write([make_metric(1), make_metric(2)], context(file, batch_id))
    found = rows(file, "SELECT _batch_id, _number, value, labels FROM metrics ORDER BY 1, 2")
    assert [tuple(row.values())[:3] for row in found] == [
        ("b1", 1, 1.0), ("b1", 2, 2.0), ("b2", 1, 1.0), ("b2", 2, 2.0),
    ]  # fmt: skip
    assert found[0]["labels"] == '{"__name__": "requests_total", "job": "api"}'


def test_new_members_become_columns_whatever_their_case(file: Path) -> None:
    for number, values in enumerate(({"a": 1}, {"A": 2, 'x"; DROP': "y"}, {"_id": [1]})):
        SqliteExporter().write([RowRecord(values=values)], context(file, f"b{number}", table="t"))  # type: ignore[arg-type]  # mixed values
    assert [row["a"] for row in rows(file, "SELECT * FROM t")] == [1, 2, None]
    assert rows(file, 'SELECT "x""; drop" AS y, _id FROM t WHERE _batch_id = \'b1\'') == [
        {"y": "y", "_id": None}
    ]


def test_one_table_may_take_all_kinds(file: Path) -> None:
    records: list[Record] = [make_metric(1), make_log(1)]
    SqliteExporter().write(records, context(file, table="everything"))
    found = rows(file, "SELECT signal, body, value FROM everything ORDER BY _number")
    assert [tuple(row.values()) for row in found] == [
        ("metrics", None, 1.0),
        ("logs", "line 1", None),
    ]


def test_a_batch_that_fails_leaves_nothing(file: Path) -> None:
    wide = RowRecord(values={f"c{number}": number for number in range(600)})
    with pytest.raises(PluginError, match="more than 500 columns") as refused:
        SqliteExporter().write([make_log(), wide], context(file))
    assert refused.value.permanent
    assert rows(file, "SELECT name FROM sqlite_schema") == []


def test_a_locked_file_may_be_tried_again(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(PluginError, match="locked") as refused:
            SqliteExporter().write([make_row()], replace(context(file), timeout_s=0.01))
    assert not refused.value.permanent
