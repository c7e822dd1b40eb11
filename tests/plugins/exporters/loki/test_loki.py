"""What is pushed has the shape of Loki's documentation."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.records import LogRecord
from detectviz.contracts.types import JsonObject
from detectviz.net.http import SyncHttpClient
from detectviz.testing.exporters import ExporterSuite, make_exporter_context
from detectviz.testing.http_server import Answer, ReceivedRequest, http_server
from detectviz.testing.notifiers import FakeHttp
from detectviz.testing.records import NOW_MS, make_log
from plugins.exporters.loki.exporter import LokiExporter


class TestConformance(ExporterSuite):
    """A server that reads as Loki does."""

    name = "loki"

    @pytest.fixture
    def good_context(self, http: SyncHttpClient) -> Iterator[ExporterContext]:
        self._lines: list[list[object]] = []

        def take(request: ReceivedRequest) -> Answer:
            assert (request.method, request.path) == ("POST", "/loki/api/v1/push")
            for stream in json.loads(request.body)["streams"]:
                assert stream["stream"]
                self._lines += stream["values"]
            return Answer(status=204)

        with http_server(take) as server:
            yield make_exporter_context(
                "loki", {"url": server.url}, {"token": self.SECRET}, http=http
            )

    @pytest.fixture
    def bad_context(self, http: SyncHttpClient) -> Iterator[ExporterContext]:
        with http_server(lambda _: Answer(status=401, body=self.SECRET.encode())) as server:
            yield make_exporter_context(
                "loki", {"url": server.url}, {"token": self.SECRET}, http=http
            )

    def stored(self) -> int:
        return len(self._lines)


def pushed(line: LogRecord, **config: object) -> dict[str, Any]:
    fake = FakeHttp()
    options: JsonObject = {"url": "http://loki.example.org/", **config}  # type: ignore[dict-item]  # tests pass JSON
    LokiExporter().write([line], make_exporter_context("loki", options, http=fake))
    (stream,) = json.loads(fake.requests[0].body)["streams"]
    found: dict[str, Any] = stream
    return found


def test_a_line_has_its_labels_level_time_and_metadata() -> None:
    stream = pushed(make_log(1), labels={"env": "test", "service": "other"}, tenant="acme")
    assert stream["stream"] == {"env": "test", "service": "api", "level": "info"}
    assert stream["values"] == [[str((NOW_MS + 1000) * 1_000_000), "line 1", {"number": "1"}]]


def test_attributes_go_where_they_are_wanted() -> None:
    (entry,) = pushed(make_log(1), attributes="line")["values"]
    assert json.loads(entry[1]) == {"message": "line 1", "number": 1}
    (entry,) = pushed(make_log(1), attributes="drop")["values"]
    assert entry[1:] == ["line 1"]


def test_names_are_made_fit_and_a_stream_always_has_one() -> None:
    line = LogRecord(timestamp_ms=0, body="x", labels={"1.a-b": "c", "empty": ""})
    assert pushed(line)["stream"] == {"_1_a_b": "c"}
    assert pushed(LogRecord(timestamp_ms=0, body="x"))["stream"] == {
        "service_name": "unknown_service"
    }
