"""Raw samples are read from a real Prometheus, whole and once."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.network import HttpRequest
from detectviz.contracts.records import MetricRecord
from detectviz.contracts.types import JsonObject
from detectviz.net.http import SyncHttpClient
from detectviz.testing.backends import victoria_metrics
from detectviz.testing.exporters import make_exporter_context
from detectviz.testing.http_server import Answer, ReceivedRequest, http_server, json_answer
from detectviz.testing.importers import ImporterSuite, make_importer_context, records_of
from detectviz.testing.notifiers import FakeHttp, make_response
from detectviz.testing.records import NOW_MS
from plugins.exporters.prometheus.exporter import PrometheusExporter
from plugins.importers.prometheus.importer import PrometheusImporter

pytestmark = pytest.mark.services("prometheus")
SAMPLES = [
    MetricRecord(
        labels={"__name__": "imported", "zone": zone},
        timestamp_ms=NOW_MS - 60_000 + number * 250,
        value=float(number),
    )
    for zone in ("a", "b")
    for number in range(40)
]
CONFIG: JsonObject = {
    "selectors": ['imported{zone="a"}', "imported"], "start": "1m", "end": "50s", "window": "2500ms"
}  # fmt: skip


@pytest.fixture
def seeded(http: SyncHttpClient, prometheus_url: str) -> str:
    config = {"url": f"{prometheus_url}/api/v1/write"}
    PrometheusExporter().write(SAMPLES, make_exporter_context("prometheus", config, http=http))
    return prometheus_url


class TestConformance(ImporterSuite):
    """A Prometheus from Debian."""

    name = "prometheus"

    @pytest.fixture
    def good_context(self, http: SyncHttpClient, seeded: str) -> ImporterContext:
        secrets = {"token": self.SECRET}
        config = {**CONFIG, "url": seeded, "end": "58s", "window": "700ms"}
        return make_importer_context("prometheus", config, secrets, http=http)  # type: ignore[arg-type]  # texts are JSON

    @pytest.fixture
    def bad_context(self, http: SyncHttpClient, seeded: str) -> ImporterContext:
        secrets = {"token": self.SECRET}
        config = {**CONFIG, "url": seeded, "selectors": ["no selector{"]}
        return make_importer_context("prometheus", config, secrets, http=http)  # type: ignore[arg-type]  # texts are JSON


def test_every_sample_is_read_once(http: SyncHttpClient, seeded: str) -> None:
    context = make_importer_context("prometheus", {**CONFIG, "url": seeded}, http=http)
    records = records_of(list(PrometheusImporter().read(context)))
    assert len(records) == 80

    def place(record: object) -> tuple[str, int]:
        assert isinstance(record, MetricRecord)
        return record.labels["zone"], record.timestamp_ms

    assert sorted(records, key=place) == SAMPLES


def test_a_window_with_too_many_samples_is_halved(http: SyncHttpClient) -> None:
    asked: list[str] = []

    def answer(request: ReceivedRequest) -> Answer:
        asked.append(request.query)
        if len(asked) == 1:
            error = {"error": "query processing would load too many samples into memory"}
            return json_answer(error, status=422)
        return json_answer({"data": {"resultType": "matrix", "result": []}})

    with http_server(answer) as server:
        config: JsonObject = {**CONFIG, "url": server.url, "selectors": ["up"], "window": "10s"}
        context = make_importer_context("prometheus", config, http=http)
        assert list(PrometheusImporter().read(context)) == []
    assert ["10000ms" in asked[0], "5000ms" in asked[1], "5000ms" in asked[2]] == [True] * 3


@pytest.mark.parametrize(
    "document",
    [[], {}, {"data": {"result": [1]}}, {"data": {"result": [{"metric": {}, "values": [1]}]}}],
)
def test_another_shape_is_told(document: object) -> None:
    fake = FakeHttp(answer=make_response(200, json.dumps(document).encode()))
    config: JsonObject = {**CONFIG, "url": "http://p.example.org"}
    with pytest.raises(PluginError, match="not Prometheus"):
        list(PrometheusImporter().read(make_importer_context("prometheus", config, http=fake)))


@pytest.mark.services("victoria-metrics")
def test_victoriametrics_gives_back_what_it_was_given(http: SyncHttpClient, tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    start_ms = int(now.timestamp() * 1000) - 3_600_000
    samples = [
        MetricRecord(
            labels={"__name__": "imported"},
            timestamp_ms=start_ms + number * 1_000,
            value=number / 2,
        )
        for number in range(60)
    ]
    with victoria_metrics(tmp_path) as (port, _):
        url = f"http://127.0.0.1:{port}"
        written = make_exporter_context("prometheus", {"url": f"{url}/api/v1/write"}, http=http)
        PrometheusExporter().write(samples, written)
        http.fetch(HttpRequest(url=f"{url}/internal/force_flush"))
        config: JsonObject = {"url": url, "selectors": ["imported"], "start": "1h", "window": "7s"}
        context = make_importer_context("prometheus", {**config, "end": "58m"}, http=http)
        records = records_of(list(PrometheusImporter().read(replace(context, now=lambda: now))))
    assert records == samples
