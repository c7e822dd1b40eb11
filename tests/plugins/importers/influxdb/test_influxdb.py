"""Points are read from a real InfluxDB 1.x as samples, whole and once."""

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.network import HttpRequest
from detectviz.contracts.records import MetricRecord
from detectviz.contracts.types import JsonObject
from detectviz.net.http import SyncHttpClient
from detectviz.testing.importers import ImporterSuite, make_importer_context, records_of
from detectviz.testing.notifiers import FakeHttp, make_response
from detectviz.testing.records import NOW_MS
from plugins.importers.influxdb.importer import InfluxdbImporter

pytestmark = pytest.mark.services("influxd")


@pytest.fixture
def seeded(http: SyncHttpClient, influxdb_url: str) -> str:
    lines = [
        f'cpu\\ "x",host=h{number % 2} value={number},free={number}i,note="text",up=t '
        f"{NOW_MS - 30_000 + number * 1_000}"
        for number in range(4)
    ]
    url = f"{influxdb_url}/write?db=test&precision=ms"
    http.fetch(HttpRequest(url=url, method="POST", body="\n".join(lines).encode()))
    return influxdb_url


CONFIG: JsonObject = {"database": "test", "start": "1m", "window": "7s"}


class TestConformance(ImporterSuite):
    """An InfluxDB from Debian."""

    name = "influxdb"

    @pytest.fixture
    def good_context(self, http: SyncHttpClient, seeded: str) -> ImporterContext:
        config: JsonObject = {**CONFIG, "url": seeded, "measurements": ['cpu "x"']}
        return make_importer_context("influxdb", config, {"token": self.SECRET}, http=http)

    @pytest.fixture
    def bad_context(self, http: SyncHttpClient, seeded: str) -> ImporterContext:
        config: JsonObject = {**CONFIG, "url": seeded, "database": "missing", "measurements": ["m"]}
        return make_importer_context("influxdb", config, {"token": self.SECRET}, http=http)


def test_fields_that_are_numbers_become_samples(http: SyncHttpClient, seeded: str) -> None:
    config: JsonObject = {**CONFIG, "url": seeded}
    context = make_importer_context("influxdb", config, http=http)
    found = [
        record
        for record in records_of(list(InfluxdbImporter().read(context)))
        if isinstance(record, MetricRecord) and record.labels["__name__"].startswith("cpu")
    ]
    assert len(found) == 12
    names = {record.labels["__name__"] for record in found}
    assert names == {'cpu "x"', 'cpu "x"_free', 'cpu "x"_up'}
    assert found[0] == MetricRecord(
        labels={"__name__": 'cpu "x"', "host": "h0"}, timestamp_ms=NOW_MS - 30_000, value=0.0
    )


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"results": [1]}', b"<html>"])
def test_another_shape_is_told(body: bytes) -> None:
    fake = FakeHttp(answer=make_response(200, body))
    config: JsonObject = {**CONFIG, "url": "http://i.example.org"}
    with pytest.raises(PluginError, match="not InfluxDB"):
        list(InfluxdbImporter().read(make_importer_context("influxdb", config, http=fake)))
