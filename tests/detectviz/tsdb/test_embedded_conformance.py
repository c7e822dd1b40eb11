import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from detectviz.testing.tsdb import SeriesStoreConformance
from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import SeriesStore


class TestEmbeddedLog(SeriesStoreConformance):
    """Samples are read from the log."""

    @pytest.fixture
    @override
    def store(self, tmp_path: Path) -> Iterator[SeriesStore]:
        store = EmbeddedStore(tmp_path / "series.sqlite")
        yield store
        store.close()


class TestEmbeddedBlocks(SeriesStoreConformance):
    """Every append is turned into blocks at once, by another opening of the file."""

    @pytest.fixture
    @override
    def store(self, tmp_path: Path) -> Iterator[SeriesStore]:
        path = tmp_path / "series.sqlite"
        store = EmbeddedStore(path)
        self.compacting = EmbeddedStore(path, flush_after_s=0)
        yield store
        store.close()
        self.compacting.close()

    @override
    def settle(self) -> None:
        self.compacting.maintain(int(time.time() * 1000))
