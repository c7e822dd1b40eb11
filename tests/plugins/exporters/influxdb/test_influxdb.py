"""Samples arrive in a real InfluxDB 1.x; the door of version 2 as documented."""

import json
from urllib.parse import urlencode

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.network import HttpRequest
from detectviz.contracts.records import MetricRecord
from detectviz.net.http import SyncHttpClient
from detectviz.testing.exporters import ExporterSuite, make_exporter_context
from detectviz.testing.notifiers import FakeHttp, make_response
from detectviz.testing.records import NOW_MS, make_metric
from plugins.exporters.influxdb.exporter import InfluxdbExporter

pytestmark = pytest.mark.services("influxd")


def stored(http: SyncHttpClient, url: str, statement: str) -> list[list[object]]:
    query = urlencode({"db": "test", "epoch": "ms", "q": statement})
    answer = json.loads(http.fetch(HttpRequest(url=f"{url}/query?{query}")).body)
    series = answer["results"][0].get("series", [])
    return [row for each in series for row in each["values"]]


class TestConformance(ExporterSuite):
    """An InfluxDB from Debian."""

    name = "influxdb"

    @pytest.fixture
    def good_context(self, http: SyncHttpClient, influxdb_url: str) -> ExporterContext:
        self._server = (http, influxdb_url)
        config = {"url": influxdb_url, "database": "test", "user": "detectviz"}
        return make_exporter_context("influxdb", config, {"password": self.SECRET}, http=http)

    @pytest.fixture
    def bad_context(self, http: SyncHttpClient, influxdb_url: str) -> ExporterContext:
        config = {"url": influxdb_url, "database": "missing", "user": "detectviz"}
        return make_exporter_context("influxdb", config, {"password": self.SECRET}, http=http)

    def stored(self) -> int:
        return len(stored(*self._server, "SELECT * FROM requests_total"))


def test_names_and_values_survive_what_the_protocol_means(
    http: SyncHttpClient, influxdb_url: str
) -> None:
    labels = {"__name__": "odd name,x", "a b": "c=d, e", "job": "api"}
    sample = MetricRecord(labels=labels, timestamp_ms=NOW_MS, value=1e-7)
    config = {"url": influxdb_url, "database": "test"}
    for _ in range(2):
        context = make_exporter_context("influxdb", config, http=http)
        assert InfluxdbExporter().write([sample], context).written == 1
    (row,) = stored(http, influxdb_url, 'SELECT value, "a b", job FROM "odd name,x"')
    assert row == [NOW_MS, 1e-7, "c=d, e", "api"]


def test_a_number_influxdb_cannot_store_is_named() -> None:
    config = {"url": "http://i.example.org", "database": "test"}
    nan = MetricRecord(labels={"__name__": "x"}, timestamp_ms=0, value=float("nan"))
    report = InfluxdbExporter().write(
        [nan, make_metric(1)], make_exporter_context("influxdb", config, http=FakeHttp())
    )
    assert (report.written, report.errors[0].place) == (1, "record 1")


def test_version_2_has_a_door_and_a_word_for_tokens_of_its_own() -> None:
    config = {"url": "http://i.example.org", "database": "b", "version": "2", "organisation": "o"}
    fake = FakeHttp(answer=make_response(204, b""))
    context = make_exporter_context("influxdb", config, {"token": "t0"}, http=fake)
    InfluxdbExporter().write([make_metric(1)], context)
    (request,) = fake.requests
    assert request.url.endswith("/api/v2/write?precision=ms&bucket=b&org=o")
    signed = [value for name, value in request.headers if name == "Authorization"]
    assert signed == ["Token t0"]
    assert request.body == f"requests_total,job=api value=1.0 {NOW_MS + 1000}".encode()


def test_a_server_that_fails_may_be_asked_again() -> None:
    fake = FakeHttp(answer=make_response(500, b"engine"))
    config = {"url": "http://i.example.org", "database": "test"}
    with pytest.raises(PluginError, match="engine") as refused:
        InfluxdbExporter().write(
            [make_metric()], make_exporter_context("influxdb", config, http=fake)
        )
    assert not refused.value.permanent
