"""Lines are read from a server that answers as Loki documents it."""

from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.records import LogRecord
from detectviz.contracts.types import JsonObject
from detectviz.net.http import SyncHttpClient
from detectviz.testing.http_server import Answer, ReceivedRequest, http_server, json_answer
from detectviz.testing.importers import ImporterSuite, make_importer_context, records_of
from detectviz.testing.notifiers import FakeHttp, make_response
from detectviz.testing.records import NOW_MS
from plugins.importers.loki.importer import LokiImporter

# Two streams; two lines of one have the same time.
LINES = [("a", NOW_MS - 9_000, "one"), ("a", NOW_MS - 9_000, "two")] + [
    (service, NOW_MS - 8_000 + number * 1_000, f"{service} {number}")
    for service in "ab"
    for number in range(6)
]
CONFIG: JsonObject = {"query": '{service=~".+"}', "start": "1m", "window": "30s", "limit": 3}


def answer(request: ReceivedRequest) -> Answer:
    """Answer as ``query_range`` does: forward, from start up to but without end, limited."""
    asked = {name: values[0] for name, values in parse_qs(request.query).items()}
    assert (request.path, asked["direction"]) == ("/loki/api/v1/query_range", "forward")
    inside = [
        line for line in LINES if int(asked["start"]) <= line[1] * 1_000_000 < int(asked["end"])
    ]
    chosen = sorted(inside, key=lambda line: line[1])[: int(asked["limit"])]
    streams = [
        {
            "stream": {"service": name, "level": "WARN"},
            "values": [
                [str(at * 1_000_000), text, {"trace_id": "t1"}]
                for service, at, text in chosen
                if service == name
            ],
        }
        for name in "ab"
    ]
    return json_answer({"status": "success", "data": {"resultType": "streams", "result": streams}})


@pytest.fixture
def url() -> Iterator[str]:
    with http_server(answer) as server:
        yield server.url


class TestConformance(ImporterSuite):
    """Fourteen lines, three a request."""

    name = "loki"

    @pytest.fixture
    def good_context(self, http: SyncHttpClient, url: str) -> ImporterContext:
        config: JsonObject = {**CONFIG, "url": url}
        return make_importer_context("loki", config, {"token": self.SECRET}, http=http)

    @pytest.fixture
    def bad_context(self, http: SyncHttpClient) -> Iterator[ImporterContext]:
        with http_server(lambda _: Answer(status=400, body=self.SECRET.encode())) as server:
            config: JsonObject = {**CONFIG, "url": server.url}
            yield make_importer_context("loki", config, {"token": self.SECRET}, http=http)


def test_every_line_is_read_once_with_all_it_says(http: SyncHttpClient, url: str) -> None:
    context = make_importer_context("loki", {**CONFIG, "url": url}, http=http)
    records = records_of(list(LokiImporter().read(context)))
    bodies = [record.body for record in records if isinstance(record, LogRecord)]
    assert sorted(bodies) == sorted(text for _, _, text in LINES)
    assert records[0] == LogRecord(
        timestamp_ms=NOW_MS - 9_000,
        body="one",
        severity="warn",
        labels={"service": "a", "level": "WARN"},
        attributes={"trace_id": "t1"},
    )


def test_more_lines_at_one_time_than_the_limit_end_the_run(http: SyncHttpClient, url: str) -> None:
    context = make_importer_context("loki", {**CONFIG, "url": url, "limit": 2}, http=http)
    with pytest.raises(PluginError, match="smallest window"):
        list(LokiImporter().read(context))


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"data": {"resultType": "matrix", "result": []}}']
)
def test_another_shape_is_told(body: bytes) -> None:
    fake = FakeHttp(answer=make_response(200, body))
    config: JsonObject = {**CONFIG, "url": "http://l.example.org"}
    with pytest.raises(PluginError, match="not Loki"):
        list(LokiImporter().read(make_importer_context("loki", config, http=fake)))
