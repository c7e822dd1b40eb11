"""Records as rows of SQL tables: one table a kind of record, or one for all.

A row has the members of the record's document as columns, objects as JSON text; ``_batch_id`` and
``_number`` make it the same row when a batch is written again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from detectviz.contracts.record_documents import record_document, signal_of
from detectviz.contracts.records import AlertRecord, MetricRecord, Record, RowRecord
from detectviz.contracts.types import JsonValue

BATCH: Final = "_batch_id"
NUMBER: Final = "_number"
Cell = str | int | float | bool | None
_LONGEST_NAME: Final = 64
_SIGNAL: Final = "signal"
_VALUE: Final = "value"
_LARGEST_INTEGER: Final = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One record as a row; ``number`` is its place in the batch."""

    number: int
    cells: Mapping[str, Cell]


@dataclass(slots=True)
class TableRows:
    """What a batch has for one table. ``columns`` map each name to its first value that is set."""

    rows: list[TableRow] = field(default_factory=list)
    columns: dict[str, Cell] = field(default_factory=dict)


def table_rows(records: Sequence[Record], table: str) -> dict[str, TableRows]:
    """Return the rows of a batch by table; all in ``table`` where it is named."""
    tables: dict[str, TableRows] = {}
    for number, record in enumerate(records, 1):
        cells = _cells(record, is_mixed=bool(table))
        found = tables.setdefault(table or signal_of(record).value, TableRows())
        found.rows.append(TableRow(number=number, cells=cells))
        if isinstance(record, (MetricRecord, AlertRecord)):
            found.columns[_VALUE] = 0.0  # a number, even where the first is not known
        for name, cell in cells.items():
            if found.columns.get(name) is None:
                found.columns[name] = cell
    return tables


def missing_columns(wanted: Iterable[str], existing: Iterable[str]) -> list[str]:
    """Return the wanted columns a table does not have; upper and lower case are the same."""
    known = {name.lower() for name in existing}
    return [name for name in wanted if name.lower() not in known]


def _cells(record: Record, *, is_mixed: bool) -> dict[str, Cell]:
    if isinstance(record, RowRecord):
        members: Mapping[str, JsonValue] = record.values
    else:
        document = record_document(record)
        members = {name: value for name, value in document.items() if is_mixed or name != _SIGNAL}
    cells: dict[str, Cell] = {}
    for name, value in members.items():
        cells.setdefault(_column(name), _cell(value))
    value = cells.get(_VALUE)
    if isinstance(record, (MetricRecord, AlertRecord)) and not isinstance(value, float):
        cells[_VALUE] = None  # NaN and infinities have no number in SQL
    return cells


def _column(name: str) -> str:
    """Return a name every server takes, in lower case, since they tell no cases apart."""
    fit = "".join(each if each.isprintable() else "_" for each in name.lower())
    return (fit.strip() or "_")[:_LONGEST_NAME].rstrip()


def _cell(value: JsonValue) -> Cell:
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if -_LARGEST_INTEGER <= value < _LARGEST_INTEGER else str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return json.dumps(value, ensure_ascii=False, default=dict)
