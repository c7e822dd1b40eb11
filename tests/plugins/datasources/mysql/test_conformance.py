import pytest

from detectviz.contracts.datasource import DatasourceSettings
from detectviz.testing.datasource_fakes import FakeConnector, datasource_settings
from detectviz.testing.datasources import DatasourceConformance
from detectviz.testing.mariadb import MariadbServer

SERIES = """
SELECT $__timeGroupAlias(at, '10m', NULL), host, avg(used) AS used FROM points
 WHERE $__timeFilter(at) GROUP BY 1, 2 ORDER BY 1
"""


@pytest.mark.services("mariadbd", "mariadb-install-db")
class TestConformance(DatasourceConformance):
    name = "mysql"
    queries = (
        {"sql": "SELECT count(*) AS n, min(host) FROM points"},
        {"sql": SERIES, "format": "time_series"},
        {"sql": "SELECT at, host, used, requests, used > 3 AS much FROM points ORDER BY at"},
    )
    wrong_queries = (
        ({"sql": "SELECT no_such FROM points"}, "no_such"),
        ({"sql": "SELECT 1; SELECT 2"}, "syntax"),
        ({"sql": "DELETE FROM points"}, "only statements that read"),
        ({"sql": "SELECT * FROM other"}, "denied"),
        ({"sql": "SELECT $__nothing(at)"}, "no macro"),
        ({"sql": "SELECT 'x' AS a", "format": "time_series"}, "time"),
    )
    long_query = {"sql": "SELECT a.host, repeat('x', 50) FROM points a, points b, points c"}
    slow_query = {"sql": "SELECT sleep(60)"}
    wrong_secrets = {"password": "not-the-password"}

    @pytest.fixture
    def settings(self, mariadb: MariadbServer) -> DatasourceSettings:
        return datasource_settings(
            "mysql",
            url=f"db.test:{mariadb.port}",
            user="reader",
            database="test",
            secrets={"password": "reader-secret-71"},
        )

    @pytest.fixture
    def other_settings(self, mariadb: MariadbServer) -> DatasourceSettings:
        return datasource_settings(
            "mysql",
            url=f"127.0.0.1:{mariadb.port}",
            user="reader",
            database="second",
            secrets={"password": "reader-secret-71"},
        )

    @pytest.fixture
    def connector(self) -> FakeConnector:
        return FakeConnector(addresses={"db.test": "127.0.0.1"})
