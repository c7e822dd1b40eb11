import pytest

from detectviz.contracts.types import JsonObject
from detectviz.testing.eventbus import EventBusConformance


class TestMemory(EventBusConformance):
    name = "memory"

    @pytest.fixture
    def config(self) -> JsonObject:
        return {"url": "memory://conformance"}
