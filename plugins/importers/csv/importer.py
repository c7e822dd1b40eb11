"""Rows of a CSV file."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from detectviz.contracts.batches import Batch
from detectviz.contracts.config import get_text, get_texts
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.records import Signal
from detectviz.contracts.row_records import Row, row_batches, row_mapping, rows_read

_EXTRA: Final = "(more cells than columns)"


class CsvImporter:
    """Reads a file row by row."""

    signals = frozenset({Signal.ROWS, Signal.METRICS, Signal.LOGS})

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield the rows after those stored; raise PluginError for a file that can't be read."""
        mapping = row_mapping(context.config, now=context.now())
        path = Path(context.connector.file(get_text(context.config, "path")))
        first = rows_read(context.cursor)
        try:
            with path.open(
                encoding=get_text(context.config, "encoding", "utf-8"), newline=""
            ) as file:
                rows: csv.DictReader[str] = csv.DictReader(
                    file,
                    fieldnames=get_texts(context.config, "columns") or None,
                    delimiter=get_text(context.config, "delimiter", ","),
                    restkey=_EXTRA,
                    strict=True,
                )
                yield from row_batches(
                    islice(_checked(rows), first, None),
                    mapping,
                    first=first,
                    batch_size=context.batch_size,
                    is_cancelled=context.is_cancelled,
                )
        except LookupError as error:
            raise ConfigurationError(f"{error}.", field="/encoding") from error
        except (OSError, UnicodeError, csv.Error) as error:
            raise PluginError(f"{path.name} cannot be read: {error}.", permanent=True) from error


def _checked(rows: Iterator[dict[str, str]]) -> Iterator[Row]:
    """Take away what stands for cells that are missing, so that a mapping names the column."""
    for row in rows:
        yield {name: value for name, value in row.items() if value is not None}
