from collections.abc import Iterator

import pytest

from detectviz.contracts.types import JsonObject
from detectviz.testing.drivers import DriverConformance
from detectviz.testing.redis import redis_server
from detectviz.testing.services import free_port

pytestmark = pytest.mark.services("redis-server")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with redis_server() as address:
        yield address


class TestRedis(DriverConformance):
    name = "redis"

    @pytest.fixture
    def config(self, url: str) -> JsonObject:
        return {"url": url}

    @pytest.fixture
    def nobody(self) -> JsonObject:
        return {"url": f"redis://127.0.0.1:{free_port()}"}
