from collections.abc import Iterator

import pytest
import redis

from detectviz.contracts.errors import NetworkError
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.cache import CacheConformance, make_context
from detectviz.testing.plugins import built_in_plugins
from detectviz.testing.redis import redis_server
from detectviz.testing.services import free_port

pytestmark = pytest.mark.services("redis-server")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with redis_server() as address:
        yield address


class TestRedis(CacheConformance):
    name = "redis"

    @pytest.fixture
    def config(self, url: str) -> JsonObject:
        return {"url": url}

    def test_clearing_leaves_what_others_keep_there(self, config: JsonObject, url: str) -> None:
        with redis.Redis.from_url(url) as client, self.opened(config) as cache:
            client.set("celery-task", "1")
            cache.set({"mine": b"1"}, ttl_s=60)
            cache.clear()
            assert client.keys() == [b"celery-task"]

    def test_an_address_nobody_answers_is_a_network_error(self) -> None:
        context = make_context("redis", {"url": f"redis://127.0.0.1:{free_port()}"})
        with pytest.raises(NetworkError):
            built_in_plugins().load(PluginKind.CACHE, "redis").open(context)
