"""Samples become lines of the text format that the run keeps."""

import math

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.records import MetricRecord
from detectviz.testing.exporters import ExporterSuite, MemoryOutputs, make_exporter_context
from plugins.exporters.exposition.exporter import FILE, ExpositionExporter


class FullOutputs(MemoryOutputs):
    """Outputs without room."""

    def append(self, name: str, data: bytes, *, batch_id: str) -> None:
        """Refuse."""
        raise PluginError("The run's files are full.", permanent=True)


class TestConformance(ExporterSuite):
    """A file with a line a sample."""

    name = "exposition"

    @pytest.fixture
    def good_context(self) -> ExporterContext:
        self._outputs = MemoryOutputs()
        return make_exporter_context("exposition", {}, outputs=self._outputs)

    @pytest.fixture
    def bad_context(self) -> ExporterContext:
        return make_exporter_context("exposition", {}, outputs=FullOutputs())

    def stored(self) -> int:
        return self._outputs.files.get(FILE, b"").count(b"\n")


def lines_of(*records: MetricRecord) -> list[str]:
    outputs = MemoryOutputs()
    context = make_exporter_context("exposition", {}, outputs=outputs)
    ExpositionExporter().write(records, context)
    return outputs.files.get(FILE, b"").decode().splitlines()


def sample(value: float = 1.5, **labels: str) -> MetricRecord:
    return MetricRecord(labels={"__name__": "m", **labels}, timestamp_ms=7, value=value)


def test_labels_are_sorted_and_escaped_and_empty_ones_left_out() -> None:
    found = lines_of(sample(b='a"\\\n', a="x y", c=""))
    assert found == ['m{a="x y",b="a\\"\\\\\\n"} 1.5 7']


@pytest.mark.parametrize(
    ("value", "text"), [(math.inf, "Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"), (2, "2.0")]
)
def test_every_number_has_its_word(value: float, text: str) -> None:
    assert lines_of(sample(value)) == [f"m {text} 7"]


def test_names_prometheus_does_not_take_are_refused_by_name() -> None:
    outputs = MemoryOutputs()
    context = make_exporter_context("exposition", {}, outputs=outputs)
    wrong = [
        sample(1.5, **{"a-b": "1"}),
        MetricRecord(labels={"__name__": "a b"}, timestamp_ms=1, value=1),
    ]
    report = ExpositionExporter().write([*wrong, sample()], context)
    assert report.written == 1
    assert [error.message.split("'")[1] for error in report.errors] == ["a-b", "a b"]
