"""Spans arrive whole; what is none is named."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from detectviz.contracts.exporter import ExporterContext
from detectviz.net.http import SyncHttpClient
from detectviz.testing.exporters import ExporterSuite, make_exporter_context
from detectviz.testing.http_server import Answer
from detectviz.testing.otlp import Collector, otlp_collector
from detectviz.testing.records import make_span
from plugins.exporters.traces.exporter import TracesExporter


@pytest.fixture
def collector() -> Iterator[Collector]:
    with otlp_collector() as found:
        yield found


class TestConformance(ExporterSuite):
    """A collector that reads with the public protobufs."""

    name = "traces"

    @pytest.fixture
    def good_context(self, http: SyncHttpClient, collector: Collector) -> ExporterContext:
        self._collector = collector
        return make_exporter_context(
            "traces", {"url": collector.url}, {"token": self.SECRET}, http=http
        )

    @pytest.fixture
    def bad_context(self, http: SyncHttpClient, collector: Collector) -> ExporterContext:
        collector.answer = Answer(status=401, body=self.SECRET.encode())
        return make_exporter_context(
            "traces", {"url": collector.url}, {"token": self.SECRET}, http=http
        )

    def stored(self) -> int:
        return len(self._collector.spans)


def test_a_span_keeps_ids_times_and_status(http: SyncHttpClient, collector: Collector) -> None:
    context = make_exporter_context("traces", {"url": collector.url}, http=http)
    span = replace(make_span(1), parent_span_id="00f067aa0ba902b7", kind="server", status="error")
    TracesExporter().write([span], context)
    (found,) = collector.spans
    assert found.trace_id.hex() == span.trace_id
    assert (found.span_id.hex(), found.parent_span_id.hex()) == (span.span_id, span.parent_span_id)
    assert found.end_time_unix_nano - found.start_time_unix_nano == 5_000_000
    assert (found.kind, found.status.code, found.name) == (2, 2, "GET /1")
    assert collector.names == [{"service.name": "api"}]


@pytest.mark.parametrize("trace_id", ["", "zz", "0af7"])
def test_a_span_with_a_wrong_id_is_named(
    http: SyncHttpClient, collector: Collector, trace_id: str
) -> None:
    context = make_exporter_context("traces", {"url": collector.url}, http=http)
    wrong = replace(make_span(1), trace_id=trace_id)
    report = TracesExporter().write([wrong, make_span(2)], context)
    assert (report.written, report.errors[0].place) == (1, "record 1")
    assert len(collector.spans) == 1
