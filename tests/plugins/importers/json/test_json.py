"""Objects of JSON files are read in each layout, and what is none is named."""

import json
from pathlib import Path

import pytest

from detectviz.contracts.batches import Batch
from detectviz.contracts.errors import PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.record_documents import record_document
from detectviz.contracts.records import MetricRecord, RowRecord, Signal
from detectviz.contracts.types import JsonObject
from detectviz.testing.datasource_fakes import FakeConnector
from detectviz.testing.importers import ImporterSuite, make_importer_context, records_of
from detectviz.testing.records import RECORDS
from plugins.importers.json.importer import JsonImporter


def context(path: Path, **config: object) -> ImporterContext:
    options: JsonObject = {"path": "data", **config}  # type: ignore[dict-item]  # tests pass JSON
    files = FakeConnector(files={"data": str(path)})
    return make_importer_context("json", options, connector=files)


class TestConformance(ImporterSuite):
    """A file of one record of each kind."""

    name = "json"

    @pytest.fixture
    def good_context(self, tmp_path: Path) -> ImporterContext:
        path = tmp_path / "data"
        lines = [json.dumps(record_document(RECORDS[signal](1))) for signal in Signal]
        path.write_text("\n".join(lines))
        return context(path, layout="records")

    @pytest.fixture
    def bad_context(self, tmp_path: Path) -> ImporterContext:
        return context(tmp_path / "missing")


def read(tmp_path: Path, text: str, **config: object) -> list[Batch]:
    path = tmp_path / "data"
    path.write_text(text)
    return list(JsonImporter().read(context(path, **config)))


def test_lines_become_rows_and_blank_ones_nothing(tmp_path: Path) -> None:
    records = records_of(read(tmp_path, '{"a": {"b": 1}}\n\n{"a": null}\n'))
    assert records == [RowRecord(values={"a": {"b": 1}}), RowRecord(values={"a": None})]


def test_a_list_becomes_samples_by_the_mapping(tmp_path: Path) -> None:
    config = {"layout": "list", "as": "metrics", "value_columns": ["x.y"], "metric_name": "m"}
    (record,) = records_of(read(tmp_path, '[{"x": {"y": 2}}]', **config))
    assert isinstance(record, MetricRecord)
    assert (record.labels, record.value) == ({"__name__": "m"}, 2.0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "It is no JSON"), ("[1]", "is no object"), ("[" * 100_000, "It is no JSON")],
)
def test_a_line_that_is_no_object_is_named(tmp_path: Path, text: str, reason: str) -> None:
    (batch,) = read(tmp_path, f'{text}\n{{"a": 1}}\n')
    assert (len(batch.records), batch.errors[0].place) == (1, "row 1")
    assert reason in batch.errors[0].message


@pytest.mark.parametrize("text", ["{}", "[", "[" * 100_000])
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(PluginError, match="data cannot be read"):
        read(tmp_path, text, layout="list")


def test_an_object_that_is_no_record_is_named(tmp_path: Path) -> None:
    (batch,) = read(tmp_path, '{"signal": "smoke"}', layout="records")
    assert "signal must be one of" in batch.errors[0].message
