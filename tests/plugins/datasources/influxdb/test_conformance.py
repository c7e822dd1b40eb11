"""InfluxQL on InfluxDB 1 as Debian has it; Flux and SQL on answers as documented."""

from collections.abc import Callable

import pytest

from detectviz.contracts.datasource import DatasourceSettings
from detectviz.contracts.network import HttpClient, HttpRequest, HttpResponse
from detectviz.net.http import SyncHttpClient
from detectviz.testing.datasource_fakes import FakeHttp, datasource_settings, http_response
from detectviz.testing.datasources import DatasourceConformance
from tests.plugins.datasources.influxdb.answers import flux_answer, sql_answer
from tests.plugins.datasources.influxdb.conftest import PASSWORD

SERIES = 'SELECT mean("used") FROM "points" WHERE $timeFilter GROUP BY time(10m), "host"'


@pytest.mark.services("influxd")
class TestInfluxql(DatasourceConformance):
    name = "influxdb"
    speaks_http = True
    queries = (
        {"influxql": 'SELECT count("used") FROM "points"', "format": "table"},
        {"influxql": SERIES},
        {"influxql": SERIES.replace("mean", "last"), "format": "table"},
        {"influxql": "SHOW MEASUREMENTS"},
        {"influxql": 'SELECT * FROM "points" WHERE $timeFilter', "format": "table"},
    )
    wrong_queries = (
        ({"influxql": "SELECT FROM"}, "error parsing query"),
        ({"influxql": 'SELECT nope("used") FROM "points"'}, "nope"),
        ({"influxql": 'SELECT * INTO "x" FROM "points"'}, "leave out INTO"),
        ({"influxql": 'SHOW DATABASES; DROP MEASUREMENT "points"'}, "only statements that read"),
        ({"flux": "from()"}, "write the query in influxql"),
    )
    long_query = {"influxql": 'SELECT "used" FROM "points" WHERE $timeFilter'}
    wrong_secrets = {"password": "not-the-password"}

    @pytest.fixture
    def http(self, client: SyncHttpClient) -> HttpClient:
        return client

    @pytest.fixture
    def settings(self, influxdb_url: str) -> DatasourceSettings:
        return self._settings(influxdb_url, "test")

    @pytest.fixture
    def other_settings(self, influxdb_url: str) -> DatasourceSettings:
        return self._settings(influxdb_url, "second")

    def _settings(self, url: str, database: str) -> DatasourceSettings:
        secrets = {"password": PASSWORD}
        return datasource_settings(
            "influxdb", url=url, user="reader", database=database, secrets=secrets
        )


class TestFlux(DatasourceConformance):
    name = "influxdb"
    speaks_http = True
    queries = (
        {"flux": "from(bucket: v.defaultBucket) |> range(start: v.timeRangeStart)"},
        {"flux": "from(bucket: v.defaultBucket)", "format": "table"},
    )
    wrong_queries = (
        ({"flux": "from("}, "expected comma"),
        ({"flux": "fails halfway"}, "index out of bounds"),
        ({"flux": "names only"}, "ask for a table"),
    )
    wrong_secrets = {"token": "not-the-token"}

    @pytest.fixture
    def http(self) -> HttpClient:
        return FakeHttp(_guarded("Token", flux_answer))

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        return datasource_settings(
            "influxdb",
            url="http://influxdb.test:8086",
            json_data={"version": "Flux", "organization": "acme", "default_bucket": "b"},
            secrets={"token": PASSWORD},
        )


class TestSql(DatasourceConformance):
    name = "influxdb"
    speaks_http = True
    queries = (
        {"sql": "SELECT time, host, used FROM points WHERE $__timeFilter(time)"},
        {"sql": "SELECT time, host, used FROM points", "format": "table"},
    )
    wrong_queries = (
        ({"sql": "SELECT nope FROM points"}, "nope"),
        ({"sql": "DROP TABLE points"}, "only statements that read"),
    )
    wrong_secrets = {"token": "not-the-token"}

    @pytest.fixture
    def http(self) -> HttpClient:
        return FakeHttp(_guarded("Bearer", sql_answer))

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        return datasource_settings(
            "influxdb",
            url="http://influxdb.test:8181",
            database="test",
            json_data={"version": "SQL"},
            secrets={"token": PASSWORD},
        )


def _guarded(
    scheme: str, answer: Callable[[HttpRequest], HttpResponse]
) -> Callable[[HttpRequest], HttpResponse]:
    def guarded(request: HttpRequest) -> HttpResponse:
        if dict(request.headers).get("Authorization") != f"{scheme} {PASSWORD}":
            return http_response(b'{"code":"unauthorized","message":"no"}', status_code=401)
        return answer(request)

    return guarded
