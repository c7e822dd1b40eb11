"""Objects of a file of JSON."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final, TextIO, cast

from detectviz.contracts.batches import Batch
from detectviz.contracts.config import get_text
from detectviz.contracts.errors import PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.record_documents import document_record
from detectviz.contracts.records import Record, Signal
from detectviz.contracts.row_records import Row, RowError, row_batches, row_mapping, rows_read
from detectviz.contracts.types import JsonObject

_LARGEST_LIST_CHARACTERS: Final = 64 << 20


class JsonImporter:
    """Reads lines one by one, a list as a whole."""

    signals = frozenset(Signal)

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield the objects after those stored; raise PluginError for a file that can't be read."""
        layout = get_text(context.config, "layout", "lines")
        path = Path(context.connector.file(get_text(context.config, "path")))
        mapping = (
            _Records() if layout == "records" else row_mapping(context.config, now=context.now())
        )
        first = rows_read(context.cursor)
        try:
            with path.open(encoding="utf-8") as file:
                rows = _list(file) if layout == "list" else _lines(file)
                yield from row_batches(
                    islice(rows, first, None),
                    mapping,
                    first=first,
                    batch_size=context.batch_size,
                    is_cancelled=context.is_cancelled,
                )
        except (OSError, ValueError, RecursionError) as error:
            raise PluginError(f"{path.name} cannot be read: {error}.", permanent=True) from error


class _Records:
    """The mapping of records as the JSON exporter writes them."""

    def records(self, row: Row) -> Iterator[Record]:
        """Yield the record; raise RowError for an object that is none."""
        try:
            yield document_record(cast("JsonObject", row))
        except PluginError as error:
            raise RowError(error.message) from error


def _lines(file: TextIO) -> Iterator[Row | RowError]:
    for line in file:
        if line.strip():
            try:
                yield _row(json.loads(line))
            except (ValueError, RecursionError) as error:
                yield RowError(f"It is no JSON: {error}.")


def _list(file: TextIO) -> Iterable[Row | RowError]:
    text = file.read(_LARGEST_LIST_CHARACTERS + 1)
    if len(text) > _LARGEST_LIST_CHARACTERS:
        raise ValueError("a list may have 64 MiB; write one object a line instead")
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError("it does not hold a list")  # noqa: TRY004 - wrong content, as bad syntax is
    return (_row(value) for value in found)


def _row(value: object) -> Row | RowError:
    if not isinstance(value, Mapping):
        return RowError(f"{str(value)[:50]!r} is no object.")
    return value
