import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from detectviz.contracts.datasource import DatasourceSettings
from detectviz.testing.datasource_fakes import FakeConnector, datasource_settings
from detectviz.testing.datasources import DatasourceConformance

SERIES = """
SELECT $__timeGroupAlias(at, '10m', NULL), host, avg(used) AS used FROM points
 WHERE $__timeFilter(at) GROUP BY 1, 2
"""
COUNTING = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT {} FROM c"


def make_file(path: Path, *, hosts: str) -> None:
    with closing(sqlite3.connect(path)) as session, session:
        session.execute("CREATE TABLE points (at TEXT, host TEXT, used REAL)")
        rows = [
            (f"2026-01-15 11:{minute:02d}:00", host, minute / 2)
            for minute in range(60)
            for host in hosts
        ]
        session.executemany("INSERT INTO points VALUES (?, ?, ?)", rows)


class TestConformance(DatasourceConformance):
    name = "sqlite"
    has_network = False
    queries = (
        {"sql": "SELECT count(*) AS n, min(host) FROM points"},
        {"sql": SERIES, "format": "time_series"},
        {"sql": "SELECT at, host, used, NULL AS empty, x'00ff' AS raw FROM points"},
    )
    wrong_queries = (
        ({"sql": "SELECT no_such FROM points"}, "no_such"),
        ({"sql": "SELECT 1; SELECT 2"}, "one statement"),
        ({"sql": "DELETE FROM points"}, "only statements that read"),
        ({"sql": "WITH x AS (SELECT 1) DELETE FROM points"}, "not authorized"),
        ({"sql": "ATTACH 'x' AS y"}, "only statements that read"),
        ({"sql": "SELECT load_extension('x')"}, "not authorized"),
        ({"sql": "SELECT * FROM pragma_database_list"}, "not authorized"),
        ({"sql": "SELECT $__nothing(at)"}, "no macro"),
        ({"sql": "SELECT 'x' AS a", "format": "time_series"}, "time"),
        ({"sql": "SELECT zeroblob(100000000)"}, "too big"),
    )
    long_query = {"sql": COUNTING.format("n, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'")}
    slow_query = {"sql": COUNTING.format("count(*)")}

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        return datasource_settings("sqlite", database="metrics.db")

    @pytest.fixture
    def other_settings(self) -> DatasourceSettings:
        return datasource_settings("sqlite", database="other.db", uid="other")

    @pytest.fixture
    def connector(self, tmp_path: Path) -> FakeConnector:
        make_file(tmp_path / "metrics #1?.db", hosts="ab")
        make_file(tmp_path / "other.db", hosts="z")
        (tmp_path / "text.db").write_text("no database at all, but a text")
        files = {"metrics.db": "metrics #1?.db", "other.db": "other.db", "text.db": "text.db"}
        return FakeConnector(files={name: str(tmp_path / path) for name, path in files.items()})
