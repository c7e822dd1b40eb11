"""Rows of CSV files are read, large ones too, and wrong ones are named."""

from pathlib import Path

import pytest

from detectviz.contracts.batches import Batch
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.records import RowRecord
from detectviz.contracts.types import JsonObject
from detectviz.testing.datasource_fakes import FakeConnector
from detectviz.testing.importers import ImporterSuite, make_importer_context, records_of
from plugins.importers.csv.importer import CsvImporter


def context(path: Path, **config: object) -> ImporterContext:
    options: JsonObject = {"path": "data.csv", **config}  # type: ignore[dict-item]  # tests pass JSON
    files = FakeConnector(files={"data.csv": str(path)})
    return make_importer_context("csv", options, connector=files)


class TestConformance(ImporterSuite):
    """A file of seven rows."""

    name = "csv"

    @pytest.fixture
    def good_context(self, tmp_path: Path) -> ImporterContext:
        path = tmp_path / "data.csv"
        path.write_text("id,name\n" + "".join(f"{n},row {n}\n" for n in range(7)))
        return context(path)

    @pytest.fixture
    def bad_context(self, tmp_path: Path) -> ImporterContext:
        return context(tmp_path / "missing.csv")


def read(tmp_path: Path, text: str | bytes, **config: object) -> list[Batch]:
    path = tmp_path / "data.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(CsvImporter().read(context(path, **config)))


def rows(batches: list[Batch]) -> list[object]:
    return [record.values for record in records_of(batches) if isinstance(record, RowRecord)]


def test_cells_may_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    found = rows(read(tmp_path, 'a;b\r\n"1;2";"say ""hi""\nand go"\r\n', delimiter=";"))
    assert found == [{"a": "1;2", "b": 'say "hi"\nand go'}]


def test_columns_may_be_named_where_the_file_has_no_head(tmp_path: Path) -> None:
    assert rows(read(tmp_path, "1,2\n", columns=["x", "y"])) == [{"x": "1", "y": "2"}]


def test_other_encodings_are_read(tmp_path: Path) -> None:
    assert rows(read(tmp_path, "a\nä\n".encode("latin-1"), encoding="latin-1")) == [{"a": "ä"}]


def test_a_row_without_the_column_of_the_mapping_is_named(tmp_path: Path) -> None:
    config = {"as": "metrics", "value_columns": ["b"]}
    (batch,) = read(tmp_path, "a,b\n1,2\n3\n", **config)
    assert len(batch.records) == 1
    assert [error.place for error in batch.errors] == ["row 2"]
    assert "There is no column b" in batch.errors[0].message


@pytest.mark.parametrize(
    ("text", "config", "error", "reason"),
    [
        (b"a\n\xff\n", {}, PluginError, "cannot be read"),
        (b'a\n"x', {}, PluginError, "unexpected end of data"),
        (b"a\n1\n", {"encoding": "klingon"}, ConfigurationError, "unknown encoding"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, text: bytes, config: dict[str, object], error: type[PluginError], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        read(tmp_path, text, **config)
