"""Samples arrive in a real Prometheus by remote write."""

import json
from urllib.parse import urlencode

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.network import HttpRequest
from detectviz.net.http import SyncHttpClient
from detectviz.testing.exporters import ExporterSuite, make_exporter_context
from detectviz.testing.notifiers import FakeHttp, make_response
from detectviz.testing.records import NOW_MS, make_metric
from detectviz.testing.services import free_port
from plugins.exporters.prometheus.exporter import PrometheusExporter

pytestmark = pytest.mark.services("prometheus")


def stored(http: SyncHttpClient, url: str, selector: str) -> list[tuple[float, float]]:
    """Return (seconds, value) of every sample of a selector around NOW."""
    query = urlencode({"query": f"{selector}[1h]", "time": NOW_MS / 1000 + 1800})
    answer = http.fetch(HttpRequest(url=f"{url}/api/v1/query?{query}"))
    series = json.loads(answer.body)["data"]["result"]
    return [(at, float(value)) for each in series for at, value in each["values"]]


class TestConformance(ExporterSuite):
    """A Prometheus from Debian."""

    name = "prometheus"

    @pytest.fixture
    def good_context(self, http: SyncHttpClient, prometheus_url: str) -> ExporterContext:
        self._server = (http, prometheus_url)
        return make_exporter_context(
            "prometheus",
            {"url": f"{prometheus_url}/api/v1/write"},
            {"token": self.SECRET},
            http=http,
        )

    @pytest.fixture
    def bad_context(self, http: SyncHttpClient) -> ExporterContext:
        url = f"http://127.0.0.1:{free_port()}/api/v1/write"
        return make_exporter_context("prometheus", {"url": url}, {"token": self.SECRET}, http=http)

    def stored(self) -> int:
        return len(stored(*self._server, "requests_total"))


def test_a_batch_written_again_is_there_once(http: SyncHttpClient, prometheus_url: str) -> None:
    config = {"url": f"{prometheus_url}/api/v1/write"}
    context = make_exporter_context("prometheus", config, http=http)
    samples = [make_metric(number, zone="again") for number in (2, 1, 0)]
    for _ in range(2):
        assert PrometheusExporter().write(samples, context).written == 3
    found = stored(http, prometheus_url, '{zone="again"}')
    assert [value for _, value in found] == [0.0, 1.0, 2.0]


def test_every_number_and_text_survives(http: SyncHttpClient, prometheus_url: str) -> None:
    config = {"url": f"{prometheus_url}/api/v1/write"}
    context = make_exporter_context("prometheus", config, http=http)
    PrometheusExporter().write([make_metric(0, zone='é\n"x')], context)
    assert stored(http, prometheus_url, '{zone="é\\n\\"x"}') == [(NOW_MS / 1000, 0.0)]


@pytest.mark.parametrize(
    ("status", "permanent"), [(400, True), (401, True), (404, True), (429, False), (503, False)]
)
def test_the_status_says_whether_to_try_again(status: int, permanent: bool) -> None:
    fake = FakeHttp(answer=make_response(status, b"out of order sample"))
    context = make_exporter_context("prometheus", {"url": "http://p.example.org/w"}, http=fake)
    with pytest.raises(PluginError, match="out of order") as refused:
        PrometheusExporter().write([make_metric()], context)
    assert refused.value.permanent is permanent
