"""Records become rows of a file the run keeps."""

import csv
import io

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.records import RowRecord
from detectviz.testing.exporters import ExporterSuite, MemoryOutputs, make_exporter_context
from detectviz.testing.records import make_metric
from plugins.exporters.csv.exporter import CsvExporter


class FullOutputs(MemoryOutputs):
    """Outputs without room."""

    def append(self, name: str, data: bytes, *, batch_id: str) -> None:
        """Refuse."""
        raise PluginError("The run's files are full.", permanent=True)


class TestConformance(ExporterSuite):
    """A file for each kind of record."""

    name = "csv"

    @pytest.fixture
    def good_context(self) -> ExporterContext:
        self._outputs = MemoryOutputs()
        return make_exporter_context("csv", {}, outputs=self._outputs)

    @pytest.fixture
    def bad_context(self) -> ExporterContext:
        return make_exporter_context("csv", {}, outputs=FullOutputs())

    def stored(self) -> int:
        return sum(len(rows_of(file)) for file in self._outputs.files.values())


def rows_of(file: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.decode(), newline="")))


def test_the_first_batch_decides_the_columns() -> None:
    outputs = MemoryOutputs()
    for number, values in enumerate([{"a": 1}, {"a": 2, "b": 3}, {"b": 4}]):
        context = make_exporter_context("csv", {}, outputs=outputs, batch_id=str(number))
        CsvExporter().write([RowRecord(values=values)], context)
    assert outputs.files["rows.csv"] == b'a\r\n1\r\n2\r\n""\r\n'


def test_columns_may_be_chosen() -> None:
    outputs = MemoryOutputs()
    config = {"file": "m.csv", "delimiter": ";", "columns": ["value", "labels.job", "labels.no"]}
    CsvExporter().write([make_metric(2)], make_exporter_context("csv", config, outputs=outputs))
    assert outputs.files["m.csv"] == b"value;labels.job;labels.no\r\n2.0;api;\r\n"


def test_a_batch_written_twice_is_there_once() -> None:
    outputs = MemoryOutputs()
    context = make_exporter_context("csv", {}, outputs=outputs)
    for _ in range(2):
        CsvExporter().write([make_metric(1)], context)
    assert len(rows_of(outputs.files["metrics.csv"])) == 1


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_no_text_is_a_formula(text: str) -> None:
    outputs = MemoryOutputs()
    record = RowRecord(values={"text": text, "number": -1, "nested": {"a": [True, None]}})
    CsvExporter().write([record], make_exporter_context("csv", {}, outputs=outputs))
    (row,) = rows_of(outputs.files["rows.csv"])
    assert row["text"] == f"'{text}"
    assert (row["number"], row["nested"]) == ("-1", '{"a": [true, null]}')
