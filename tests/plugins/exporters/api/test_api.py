"""Batches are posted with a key that is the same when they are sent again."""

import json
from collections.abc import Iterator

import pytest

from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.record_documents import document_record
from detectviz.contracts.types import JsonObject
from detectviz.net.http import SyncHttpClient
from detectviz.testing.exporters import ExporterSuite, make_exporter_context
from detectviz.testing.http_server import Answer, ReceivedRequest, http_server
from detectviz.testing.notifiers import FakeHttp
from detectviz.testing.records import make_event, make_row
from plugins.exporters.api.exporter import ApiExporter


class TestConformance(ExporterSuite):
    """A receiver that keeps what it has not got yet."""

    name = "api"

    @pytest.fixture
    def good_context(self, http: SyncHttpClient) -> Iterator[ExporterContext]:
        self._batches: dict[str, list[object]] = {}

        def take(request: ReceivedRequest) -> Answer:
            document = json.loads(request.body)
            assert document["batch_id"] == request.headers["idempotency-key"]
            self._batches[document["batch_id"]] = document["records"]
            return Answer(status=202)

        with http_server(take) as server:
            yield make_exporter_context(
                "api", {"url": server.url, "user": "anna"}, {"password": self.SECRET}, http=http
            )

    @pytest.fixture
    def bad_context(self, http: SyncHttpClient) -> Iterator[ExporterContext]:
        with http_server(lambda _: Answer(status=403, body=self.SECRET.encode())) as server:
            yield make_exporter_context(
                "api", {"url": server.url, "user": "anna"}, {"password": self.SECRET}, http=http
            )

    def stored(self) -> int:
        return sum(map(len, self._batches.values()))


def sent(config: JsonObject) -> tuple[FakeHttp, bytes]:
    fake = FakeHttp()
    context = make_exporter_context("api", {"url": "https://a.example.org/in", **config}, http=fake)
    ApiExporter().write([make_row(1), make_event(2)], context)
    return fake, fake.requests[0].body


def test_a_list_or_lines_may_be_sent() -> None:
    _, body = sent({"layout": "list"})
    assert [document_record(each) for each in json.loads(body)] == [make_row(1), make_event(2)]
    _, body = sent({"layout": "lines"})
    assert [json.loads(line)["signal"] for line in body.splitlines()] == ["rows", "events"]


def test_method_and_headers_are_the_operators() -> None:
    fake, _ = sent({"method": "PUT", "headers": {"X-Source": "acme", "Accept": "text/plain"}})
    (request,) = fake.requests
    assert request.method == "PUT"
    headers = list(request.headers)
    assert ("X-Source", "acme") in headers
    assert [value for name, value in headers if name == "Accept"] == ["text/plain"]
