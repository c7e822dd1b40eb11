"""Events arrive as log records with a name."""

from collections.abc import Iterator

import pytest

from detectviz.contracts.exporter import ExporterContext
from detectviz.net.http import SyncHttpClient
from detectviz.testing.exporters import ExporterSuite, make_exporter_context
from detectviz.testing.http_server import Answer
from detectviz.testing.otlp import Collector, otlp_collector
from detectviz.testing.records import NOW_MS, make_event
from plugins.exporters.events.exporter import EventsExporter


@pytest.fixture
def collector() -> Iterator[Collector]:
    with otlp_collector() as found:
        yield found


class TestConformance(ExporterSuite):
    """A collector that reads with the public protobufs."""

    name = "events"

    @pytest.fixture
    def good_context(self, http: SyncHttpClient, collector: Collector) -> ExporterContext:
        self._collector = collector
        return make_exporter_context(
            "events", {"url": collector.url}, {"token": self.SECRET}, http=http
        )

    @pytest.fixture
    def bad_context(self, http: SyncHttpClient, collector: Collector) -> ExporterContext:
        collector.answer = Answer(status=401, body=self.SECRET.encode())
        return make_exporter_context(
            "events", {"url": collector.url}, {"token": self.SECRET}, http=http
        )

    def stored(self) -> int:
        return len(self._collector.logs)


def test_an_event_keeps_name_data_and_origin(http: SyncHttpClient, collector: Collector) -> None:
    context = make_exporter_context("events", {"url": collector.url}, http=http)
    EventsExporter().write([make_event(3)], context)
    (found,) = collector.logs
    assert found.event_name == "io.detectviz.monitor.state.v1"
    assert found.time_unix_nano == NOW_MS * 1_000_000
    (pair,) = found.body.kvlist_value.values
    assert (pair.key, pair.value.string_value) == ("state", "down")
    assert {each.key: each.value.string_value for each in found.attributes} == {
        "cloudevents.event_source": "/orgs/acme",
        "cloudevents.event_subject": "m3",
        "cloudevents.event_id": "evt-3",
    }
