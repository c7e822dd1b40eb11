"""Records as rows of a CSV file that the run keeps."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Final

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.config import get_bool, get_text, get_texts
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.record_documents import record_row, signal_of
from detectviz.contracts.records import Record, Signal
from detectviz.contracts.types import JsonValue

_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


class CsvExporter:
    """Writes one row a record, each kind into a file of its own unless one is named."""

    signals = frozenset(Signal)

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError when the run's files are full."""
        by_file: dict[str, list[dict[str, JsonValue]]] = {}
        for record in records:
            name = get_text(context.config, "file") or f"{signal_of(record)}.csv"
            by_file.setdefault(name, []).append(record_row(record))
        for name, rows in by_file.items():
            self._append(name, rows, context)
        return WriteReport(written=len(records))

    def _append(
        self, name: str, rows: Sequence[Mapping[str, JsonValue]], context: ExporterContext
    ) -> None:
        columns = self._columns(name, rows, context)
        file = io.StringIO(newline="")
        writer = csv.writer(
            file, delimiter=get_text(context.config, "delimiter", ","), lineterminator="\r\n"
        )
        if not context.outputs.size(name):
            writer.writerow(columns)
        is_defused = get_bool(context.config, "defuse_formulas", default=True)
        for row in rows:
            writer.writerow([_cell(row.get(column), is_defused=is_defused) for column in columns])
        data = file.getvalue().encode("utf-8", "replace")
        context.outputs.append(name, data, batch_id=context.batch_id)

    def _columns(
        self, name: str, rows: Sequence[Mapping[str, JsonValue]], context: ExporterContext
    ) -> Sequence[str]:
        chosen = get_texts(context.config, "columns")
        if chosen:
            return chosen
        head = context.outputs.head(name)
        if head:
            delimiter = get_text(context.config, "delimiter", ",")
            return next(csv.reader([head], delimiter=delimiter))
        return list(dict.fromkeys(column for row in rows for column in row))


def _cell(value: JsonValue, *, is_defused: bool) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=dict)
    return f"'{text}" if is_defused and text.startswith(_FORMULAS) else text
