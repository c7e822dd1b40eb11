"""Records become lines of a file the run keeps."""

import json

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.record_documents import document_record
from detectviz.testing.exporters import ExporterSuite, MemoryOutputs, make_exporter_context
from detectviz.testing.records import RECORDS
from plugins.exporters.json.exporter import JsonExporter


class FullOutputs(MemoryOutputs):
    """Outputs without room."""

    def append(self, name: str, data: bytes, *, batch_id: str) -> None:
        """Refuse."""
        raise PluginError("The run's files are full.", permanent=True)


class TestConformance(ExporterSuite):
    """One file for all kinds of record."""

    name = "json"

    @pytest.fixture
    def good_context(self) -> ExporterContext:
        self._outputs = MemoryOutputs()
        return make_exporter_context("json", {}, outputs=self._outputs)

    @pytest.fixture
    def bad_context(self) -> ExporterContext:
        return make_exporter_context("json", {}, outputs=FullOutputs())

    def stored(self) -> int:
        return sum(file.count(b"\n") for file in self._outputs.files.values())


def test_what_is_written_can_be_read_again() -> None:
    outputs = MemoryOutputs()
    records = [make(1) for make in RECORDS.values()]
    JsonExporter().write(records, make_exporter_context("json", {"file": "x"}, outputs=outputs))
    lines = outputs.files["x"].decode().splitlines()
    assert [document_record(json.loads(line)) for line in lines] == records
