"""The importer asks the platform and hands on what it says."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from detectviz.contracts.batches import Batch, WriteReport
from detectviz.contracts.errors import PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.records import Record, Signal
from detectviz.contracts.types import JsonObject
from detectviz.testing.importers import ImporterSuite, make_importer_context
from detectviz.testing.records import RECORDS
from plugins.importers.detectviz.importer import DetectvizImporter


class FakePlatform:
    """Seven samples."""

    def read(
        self, signal: Signal, selection: JsonObject, *, cursor: JsonObject, batch_size: int
    ) -> Iterator[Batch]:
        """Yield them from the cursor on."""
        records = [RECORDS[signal](number) for number in range(7)]
        first = cursor.get("done", 0)
        assert isinstance(first, int)
        for at in range(first, 7, batch_size):
            part = records[at : at + batch_size]
            yield Batch(records=part, cursor={"done": at + len(part)})

    def write(self, records: Sequence[Record], *, batch_id: str) -> WriteReport:
        """Refuse."""
        raise PluginError("not to be written")


class TestConformance(ImporterSuite):
    """A platform with samples, and none."""

    name = "detectviz"

    @pytest.fixture
    def good_context(self) -> ImporterContext:
        return replace(make_importer_context("detectviz", {}), platform=FakePlatform())

    @pytest.fixture
    def bad_context(self) -> ImporterContext:
        return make_importer_context("detectviz", {})


def test_without_a_platform_it_says_so() -> None:
    with pytest.raises(PluginError, match="no platform"):
        list(DetectvizImporter().read(make_importer_context("detectviz", {})))
