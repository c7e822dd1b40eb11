"""Samples arrive as points of gauges, by resource."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from detectviz.contracts.exporter import ExporterContext
from detectviz.net.http import SyncHttpClient
from detectviz.testing.exporters import ExporterSuite, make_exporter_context
from detectviz.testing.http_server import Answer
from detectviz.testing.otlp import Collector, otlp_collector
from detectviz.testing.records import NOW_MS, make_metric
from plugins.exporters.metrics.exporter import MetricsExporter


@pytest.fixture
def collector() -> Iterator[Collector]:
    with otlp_collector() as found:
        yield found


class TestConformance(ExporterSuite):
    """A collector that reads with the public protobufs."""

    name = "metrics"

    @pytest.fixture
    def good_context(self, http: SyncHttpClient, collector: Collector) -> ExporterContext:
        self._collector = collector
        return make_exporter_context(
            "metrics", {"url": collector.url}, {"token": self.SECRET}, http=http
        )

    @pytest.fixture
    def bad_context(self, http: SyncHttpClient, collector: Collector) -> ExporterContext:
        collector.answer = Answer(status=401, body=self.SECRET.encode())
        return make_exporter_context(
            "metrics", {"url": collector.url}, {"token": self.SECRET}, http=http
        )

    def stored(self) -> int:
        return sum(len(each.gauge.data_points) for each in self._collector.metrics)


def test_samples_are_grouped_by_target_and_metric(
    http: SyncHttpClient, collector: Collector
) -> None:
    context = make_exporter_context("metrics", {"url": collector.url}, http=http)
    samples = [make_metric(1, instance="a", zone="x"), make_metric(2, instance="b")]
    samples.append(replace(make_metric(3, instance="a"), unit="By"))
    assert MetricsExporter().write(samples, context).written == 3
    assert collector.names == [
        {"service.name": "api", "service.instance.id": "a"},
        {"service.name": "api", "service.instance.id": "b"},
    ]
    assert [(each.name, each.unit) for each in collector.metrics] == [
        ("requests_total", ""),
        ("requests_total", "By"),
        ("requests_total", ""),
    ]
    (point,) = collector.metrics[0].gauge.data_points
    assert (point.time_unix_nano, point.as_double) == ((NOW_MS + 1000) * 1_000_000, 1.0)
    assert [(pair.key, pair.value.string_value) for pair in point.attributes] == [("zone", "x")]
