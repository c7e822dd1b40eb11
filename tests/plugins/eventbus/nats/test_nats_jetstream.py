from collections.abc import Iterator

import pytest

from detectviz.contracts.errors import NetworkError
from detectviz.contracts.types import JsonObject
from detectviz.testing.eventbus import EventBusConformance, make_context
from detectviz.testing.nats import nats_server
from detectviz.testing.services import free_port

pytestmark = pytest.mark.services("nats-server")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with nats_server(tmp_path_factory.mktemp("nats")) as address:
        yield address


class TestNats(EventBusConformance):
    name = "nats"

    @pytest.fixture
    def config(self, url: str) -> JsonObject:
        return {"url": url}

    def test_an_address_nobody_answers_is_a_network_error(self) -> None:
        context = make_context("nats", {"url": f"nats://127.0.0.1:{free_port()}"})
        with pytest.raises(NetworkError):
            self.plugin().open(context)
