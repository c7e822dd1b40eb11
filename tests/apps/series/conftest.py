"""An org with samples and a key that may ask for them."""

from collections.abc import Iterator

import pytest

from apps.series.services import series_store_use
from detectviz.promql.memory_store import MemoryStore
from tests.factories.accounts import make_full_org
from tests.factories.queries import Asker, make_asker


@pytest.fixture
def memory() -> Iterator[MemoryStore]:
    """The process's store for the time of a test."""
    store = MemoryStore()
    series_store_use(store)
    yield store
    series_store_use(None)


@pytest.fixture
def asker(db: None, memory: MemoryStore) -> Asker:
    """Somebody who may do everything in the org ``acme``."""
    return make_asker(make_full_org("acme"), memory)


@pytest.fixture
def rival(db: None, memory: MemoryStore) -> Asker:
    """Somebody of another org that shares the store."""
    return make_asker(make_full_org("rival"), memory)
