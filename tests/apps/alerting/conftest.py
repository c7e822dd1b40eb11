"""A series store in memory instead of the process's own, and a listener on the bus."""

from collections.abc import Iterator

import pytest

from apps.series.services import series_store_use
from detectviz.events import bus
from detectviz.events.types import AlertChanged
from detectviz.promql.memory_store import MemoryStore


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    """Every series read or written by the code under test."""
    memory = MemoryStore()
    series_store_use(memory)
    yield memory
    series_store_use(None)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[AlertChanged]:
    """What was published about alerts, in order."""
    heard: list[AlertChanged] = []
    monkeypatch.setitem(bus._handlers, AlertChanged, [heard.extend])
    return heard
