import pytest

from detectviz.contracts.datasource import Datasource, DatasourceSettings
from detectviz.testing.datasource_fakes import FakeConnector, datasource_settings
from detectviz.testing.datasources import DatasourceConformance
from plugins.datasources.mssql.datasource import MssqlDatasource
from tests.plugins.datasources.mssql.server import PASSWORD, Server

SERIES = """
SELECT $__timeGroupAlias(at, '10m', NULL), host, avg(used) AS used FROM points
 WHERE $__timeFilter(at) GROUP BY FLOOR(at), host
"""


class TestConformance(DatasourceConformance):
    name = "mssql"
    queries = (
        {"sql": "SELECT count(*) AS n FROM points"},
        {"sql": SERIES, "format": "time_series"},
        {"sql": "SELECT at, host FROM points ORDER BY at OFFSET 5 ROWS FETCH NEXT 5 ROWS ONLY"},
    )
    wrong_queries = (
        ({"sql": "SELECT no_such FROM points"}, "invalid column name 'no_such'"),
        ({"sql": "SELECT 1; SELECT 2"}, "semicolon"),
        ({"sql": "SELECT 1 DELETE FROM points"}, "delete"),
        ({"sql": "SELECT 1 /* x */ exec sp_who"}, "exec"),
        ({"sql": "SELECT * INTO x FROM points"}, "into"),
        ({"sql": "SELECT * FROM OPENQUERY(far, 'DELETE FROM x')"}, "openquery"),
        ({"sql": "WITH x AS (SELECT 1 a) UPDATE x SET a = 2"}, "update"),
        ({"sql": "DELETE FROM points"}, "only statements that read"),
        ({"sql": "SELECT $__nothing(at)"}, "no macro"),
        ({"sql": "SELECT count(*)", "format": "time_series"}, "time"),
    )
    long_query = {"sql": "SELECT long FROM points"}
    slow_query = {"sql": "SELECT slow FROM points"}
    wrong_secrets = {"password": "not-the-password"}

    def datasource(self) -> Datasource:
        return MssqlDatasource(connect=Server(1433).connect)

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        return self.make_settings("test")

    @pytest.fixture
    def other_settings(self) -> DatasourceSettings:
        return self.make_settings("second")

    def make_settings(self, database: str) -> DatasourceSettings:
        return datasource_settings(
            "mssql",
            url="db.test",
            user="reader",
            database=database,
            secrets={"password": PASSWORD},
        )

    @pytest.fixture
    def connector(self) -> FakeConnector:
        return FakeConnector(addresses={"db.test": "127.0.0.1"})
