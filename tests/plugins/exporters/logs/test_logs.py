"""Lines arrive with level, attributes and resource."""

from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
)

from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.records import LogRecord
from detectviz.contracts.types import JsonObject
from detectviz.net.http import SyncHttpClient
from detectviz.testing.exporters import ExporterSuite, make_exporter_context
from detectviz.testing.http_server import Answer
from detectviz.testing.otlp import Collector, otlp_collector
from detectviz.testing.records import NOW_MS, make_log
from plugins.exporters.logs.exporter import LogsExporter


@pytest.fixture
def collector() -> Iterator[Collector]:
    with otlp_collector() as found:
        yield found


class TestConformance(ExporterSuite):
    """A collector that reads with the public protobufs."""

    name = "logs"

    @pytest.fixture
    def good_context(self, http: SyncHttpClient, collector: Collector) -> ExporterContext:
        self._collector = collector
        return make_exporter_context(
            "logs", {"url": collector.url}, {"token": self.SECRET}, http=http
        )

    @pytest.fixture
    def bad_context(self, http: SyncHttpClient, collector: Collector) -> ExporterContext:
        collector.answer = Answer(status=401, body=self.SECRET.encode())
        return make_exporter_context(
            "logs", {"url": collector.url}, {"token": self.SECRET}, http=http
        )

    def stored(self) -> int:
        return len(self._collector.logs)


def test_a_line_keeps_all_it_says(http: SyncHttpClient, collector: Collector) -> None:
    config: JsonObject = {"url": collector.url, "resource": {"deployment.environment.name": "test"}}
    attributes: JsonObject = {
        "n": 1,
        "f": 0.5,
        "b": True,
        "none": None,
        "list": ["a"],
        "map": {"k": "v"},
    }
    line = LogRecord(
        timestamp_ms=NOW_MS,
        body="boom",
        severity="warning",
        labels={"service": "api"},
        attributes=attributes,
    )
    LogsExporter().write([line], make_exporter_context("logs", config, http=http))
    (found,) = collector.logs
    assert (found.time_unix_nano, found.body.string_value) == (NOW_MS * 1_000_000, "boom")
    assert (found.severity_number, found.severity_text) == (13, "warning")
    values = {pair.key: pair.value for pair in found.attributes}
    assert (values["n"].int_value, values["f"].double_value) == (1, 0.5)
    assert values["b"].bool_value
    assert values["list"].array_value.values[0].string_value == "a"
    assert values["map"].kvlist_value.values[0].key == "k"
    assert collector.names == [{"deployment.environment.name": "test", "service.name": "api"}]


def test_what_the_collector_rejects_is_counted(http: SyncHttpClient, collector: Collector) -> None:
    partial = ExportLogsPartialSuccess(rejected_log_records=2, error_message="too old")
    answer = ExportLogsServiceResponse(partial_success=partial)
    collector.answer = Answer(body=answer.SerializeToString())
    context = make_exporter_context("logs", {"url": collector.url}, http=http)
    report = LogsExporter().write([make_log(number) for number in range(3)], context)
    assert (report.written, len(report.errors)) == (1, 2)
    assert "too old" in report.errors[0].message


def test_what_answers_but_is_no_collector_is_told(
    http: SyncHttpClient, collector: Collector
) -> None:
    collector.answer = Answer(body=b"<html>Sign in</html>")
    context = make_exporter_context("logs", {"url": collector.url}, http=http)
    with pytest.raises(PluginError, match="not a collector"):
        LogsExporter().write([make_log()], context)
