"""The exporter hands records to the platform."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from detectviz.contracts.batches import Batch, WriteReport
from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.records import Record, Signal
from detectviz.contracts.types import JsonObject
from detectviz.testing.exporters import ExporterSuite, make_exporter_context
from detectviz.testing.records import RECORDS
from plugins.exporters.detectviz.exporter import DetectvizExporter


class FakePlatform:
    """Takes everything."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def read(
        self, signal: Signal, selection: JsonObject, *, cursor: JsonObject, batch_size: int
    ) -> Iterator[Batch]:
        """Refuse."""
        raise PluginError("not to be read")

    def write(self, records: Sequence[Record], *, batch_id: str) -> WriteReport:
        """Keep them."""
        self.records += records
        return WriteReport(written=len(records))


class TestConformance(ExporterSuite):
    """A platform that takes records, and none."""

    name = "detectviz"

    @pytest.fixture
    def good_context(self) -> ExporterContext:
        self._platform = FakePlatform()
        return replace(make_exporter_context("detectviz", {}), platform=self._platform)

    @pytest.fixture
    def bad_context(self) -> ExporterContext:
        return make_exporter_context("detectviz", {})

    def stored(self) -> int:
        return len(self._platform.records)


def test_without_a_platform_it_says_so() -> None:
    records = [RECORDS[Signal.METRICS](1)]
    with pytest.raises(PluginError, match="no platform"):
        DetectvizExporter().write(records, make_exporter_context("detectviz", {}))
