from collections.abc import Iterator

import pytest

from detectviz.contracts.errors import NetworkError
from detectviz.contracts.types import JsonObject
from detectviz.testing.eventbus import EventBusConformance, make_context, make_message
from detectviz.testing.redis import redis_server
from detectviz.testing.services import free_port

pytestmark = pytest.mark.services("redis-server")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with redis_server() as address:
        yield address


class TestRedis(EventBusConformance):
    name = "redis"

    @pytest.fixture
    def config(self, url: str) -> JsonObject:
        return {"url": url}

    def test_a_member_joins_again_after_a_flush(self, config: JsonObject, topic: str) -> None:
        with self.opened(config) as bus:
            subscription = bus.subscribe(group="g", topics=[topic])
            subscription.receive(limit=1, timeout_s=0.05)
            bus.client.flushall()  # type: ignore[attr-defined]  # what an operator may do
            assert list(subscription.receive(limit=1, timeout_s=0.05)) == []
            bus.publish([make_message(topic, 1)])
            assert subscription.receive(limit=1, timeout_s=2)

    def test_an_address_nobody_answers_is_a_network_error(self) -> None:
        context = make_context("redis", {"url": f"redis://127.0.0.1:{free_port()}"})
        with pytest.raises(NetworkError):
            self.plugin().open(context)
