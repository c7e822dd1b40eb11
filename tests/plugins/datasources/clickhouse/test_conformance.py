import pytest

from detectviz.contracts.datasource import DatasourceSettings
from detectviz.contracts.network import HttpClient
from detectviz.testing.datasource_fakes import datasource_settings
from detectviz.testing.datasources import DatasourceConformance
from tests.plugins.datasources.clickhouse.server import PASSWORD, clickhouse

SERIES = "SELECT $__timeGroup(at, 10m) AS time, host, avg(used) AS used FROM points"


class TestConformance(DatasourceConformance):
    name = "clickhouse"
    speaks_http = True
    queries = (
        {"sql": "SELECT count() AS n FROM points"},
        {"sql": SERIES.replace("$__timeGroup", "toStartOfInterval"), "format": "time_series"},
        {"sql": SERIES, "format": "time_series"},
    )
    wrong_queries = (
        ({"sql": "SELECT no_such FROM points"}, "no_such"),
        ({"sql": "SELECT 1; SELECT 2"}, "multi-statements"),
        ({"sql": "SELECT x INTO OUTFILE 'y'"}, "readonly"),
        ({"sql": "INSERT INTO points VALUES (1)"}, "only statements that read"),
        ({"sql": "SELECT $__nothing(at)"}, "no macro"),
        ({"sql": "SELECT count()", "format": "time_series"}, "time"),
    )
    long_query = {"sql": "SELECT number, repeat('x', 50) FROM numbers(10000000)"}
    wrong_secrets = {"password": "not-the-password"}

    @pytest.fixture
    def http(self) -> HttpClient:
        return clickhouse()

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        return datasource_settings(
            "clickhouse",
            url="http://db.test:8123",
            user="reader",
            database="test",
            secrets={"password": PASSWORD},
        )

    @pytest.fixture
    def other_settings(self) -> DatasourceSettings:
        return datasource_settings(
            "clickhouse",
            url="http://db.test:8123",
            user="reader",
            database="second",
            secrets={"password": PASSWORD},
        )
