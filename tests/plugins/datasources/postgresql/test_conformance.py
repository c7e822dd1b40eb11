import pytest

from detectviz.contracts.datasource import DatasourceSettings
from detectviz.testing.datasource_fakes import FakeConnector, datasource_settings
from detectviz.testing.datasources import DatasourceConformance

SERIES = """
SELECT $__timeGroupAlias(at, '10m', NULL), host, avg(used) AS used FROM points
 WHERE $__timeFilter(at) GROUP BY 1, 2 ORDER BY 1
"""


@pytest.mark.services("initdb", "postgres")
class TestConformance(DatasourceConformance):
    name = "postgresql"
    queries = (
        {"sql": "SELECT count(*) AS n, min(host) FROM points"},
        {"sql": SERIES, "format": "time_series"},
        {"sql": "SELECT at, host, used, requests, used > 3 AS much FROM points ORDER BY at"},
    )
    wrong_queries = (
        ({"sql": "SELECT no_such FROM points"}, "no_such"),
        ({"sql": "SELECT 1; SELECT 2"}, "multiple commands"),
        ({"sql": "DELETE FROM points"}, "only statements that read"),
        ({"sql": "SELECT * FROM other"}, "permission denied"),
        ({"sql": "SELECT $__nothing(at)"}, "no macro"),
        ({"sql": "SELECT 'x' AS a", "format": "time_series"}, "time"),
    )
    long_query = {"sql": "SELECT n, repeat('x', 50) FROM generate_series(1, 10000000) n"}
    slow_query = {"sql": "SELECT pg_sleep(60)"}
    wrong_secrets = {"password": "not-the-password"}

    @pytest.fixture
    def settings(self, postgresql: str) -> DatasourceSettings:
        _, _, port = postgresql.partition(":")
        return datasource_settings(
            "postgresql",
            url=f"db.test:{port}",
            user="reader",
            database="test",
            secrets={"password": "reader-secret-71"},
        )

    @pytest.fixture
    def other_settings(self, postgresql: str) -> DatasourceSettings:
        return datasource_settings(
            "postgresql",
            url=postgresql,
            user="reader",
            database="second",
            secrets={"password": "reader-secret-71"},
        )

    @pytest.fixture
    def connector(self) -> FakeConnector:
        return FakeConnector(addresses={"db.test": "127.0.0.1"})
