from collections.abc import Iterator

import pytest

from detectviz.contracts.types import JsonObject
from detectviz.testing.eventbus import EventBusConformance, make_context
from plugins.eventbus.kafka.client_options import client_options


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run librdkafka's mock cluster: Kafka's protocol over TCP, inside this process."""
    library = pytest.importorskip("confluent_kafka")
    owner = library.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock"})
    brokers = owner.list_topics(timeout=10).brokers.values()
    yield "kafka://" + ",".join(f"{each.host}:{each.port}" for each in brokers)
    owner.flush(1)


class TestKafka(EventBusConformance):
    name = "kafka"

    @pytest.fixture
    def config(self, url: str) -> JsonObject:
        return {"url": url, "session_timeout_s": 6}


@pytest.mark.parametrize(
    ("config", "protocol"),
    [
        ({}, "plaintext"),
        ({"tls": True}, "ssl"),
        ({"sasl_mechanism": "PLAIN", "username": "u"}, "sasl_plaintext"),
        ({"tls": True, "sasl_mechanism": "SCRAM-SHA-512", "username": "u"}, "sasl_ssl"),
    ],
)
def test_tls_and_sasl_choose_the_protocol(config: JsonObject, protocol: str) -> None:
    library = pytest.importorskip("confluent_kafka")
    secrets = {"password": "p"}
    context = make_context("kafka", {"url": "kafka://a:1,b:2", **config}, secrets=secrets)
    options = client_options(context)
    assert options["security.protocol"] == protocol
    assert options["bootstrap.servers"] == "a:1,b:2"
    library.Producer(options)  # the client accepts them
