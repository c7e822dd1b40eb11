"""Flux: what is sent to InfluxDB 2, and its annotated CSV."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from typing import Final

from detectviz.contracts.datasource import DataQuery, DatasourceContext
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import FieldType, Frame
from detectviz.contracts.point_frames import PointFrames
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.table_frames import table_frames
from detectviz.contracts.types import JsonValue

_NUMBERS: Final = frozenset({"double", "long", "unsignedLong"})
_HIDDEN: Final = frozenset({"", "result", "table"})
_NO_LABELS: Final = frozenset({"_start", "_stop", "_field"})
# Strings and comments are one piece each, so that nothing is put into them.
_PLACE: Final = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|\bv\.(\w+)')  # noqa: TID251 - our own constant


@dataclass(slots=True, kw_only=True)
class Table:
    """One table of an answer: columns with their types, whether they are of the group key."""

    names: list[str]
    types: list[str]
    is_group: list[bool]
    rows: list[list[str]] = field(default_factory=list)


def fill_in(text: str, query: DataQuery, *, bucket: str, organisation: str) -> str:
    """Return the script with the variables of ``v`` filled in."""
    values = {
        "timeRangeStart": _moment_text(query.range.start_ms),
        "timeRangeStop": _moment_text(query.range.end_ms),
        "windowPeriod": f"{max(query.interval_ms, 1)}ms",
        "defaultBucket": _text(bucket),
        "organization": _text(organisation),
    }
    return _PLACE.sub(lambda found: values.get(found[1] or "", found[0]), text)


def _moment_text(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'


def read_tables(body: bytes) -> list[Table]:
    """Return the tables of annotated CSV.

    Raise QueryError for an error inside of it, PluginError for what is no annotated CSV.
    """
    tables: list[Table] = []
    notes: dict[str, list[str]] = {}
    current: Table | None = None
    key: str | None = None
    try:
        for row in csv.reader(StringIO(body.decode(), newline="")):
            if not row or row == [""]:
                current, notes = None, {}
            elif row[0].startswith("#"):
                current = None
                notes[row[0]] = row
            elif current is None:
                current, key = _headed(row, notes), None
                notes = {}
            elif len(row) == len(current.names):
                if key is not None and _key(current, row) != key:
                    current = Table(
                        names=current.names, types=current.types, is_group=current.is_group
                    )
                _require_no_error(current, row)
                if not current.rows:
                    tables.append(current)
                key = _key(current, row)
                current.rows.append(row)
    except (csv.Error, UnicodeDecodeError) as error:
        raise PluginError("What answered is not InfluxDB: its answer is no CSV.") from error
    return tables


def _require_no_error(table: Table, row: Sequence[str]) -> None:
    """Raise QueryError for the table a script that failed halfway ends with."""
    if {"error", "reference"} <= set(table.names):
        raise QueryError(f"InfluxDB refuses the query: {row[table.names.index('error')]}")


def _key(table: Table, row: Sequence[str]) -> str:
    return row[table.names.index("table")] if "table" in table.names else ""


def _headed(row: list[str], notes: Mapping[str, list[str]]) -> Table:
    if "error" in row:
        return Table(names=row, types=["string"] * len(row), is_group=[False] * len(row))
    types, groups = notes.get("#datatype", []), notes.get("#group", [])
    if len(types) != len(row):
        raise PluginError("What answered is not InfluxDB: its answer is no annotated CSV.")
    is_group = [flag == "true" for flag in groups] if len(groups) == len(row) else []
    return Table(names=row, types=types, is_group=is_group or [False] * len(row))


def point_frames(tables: Sequence[Table], context: DatasourceContext, text: str) -> list[Frame]:
    """Return a frame for each table that has ``_time`` and numbers; the group key is its labels.

    Raise QueryError where no table has them.
    """
    frames = PointFrames(context, text)
    is_found = not tables
    for table in tables:
        timed = table.names.index("_time") if "_time" in table.names else None
        places = [
            place
            for place, kind in enumerate(table.types)
            if kind in _NUMBERS and table.names[place] not in _HIDDEN
        ]
        if timed is None or not places:
            continue
        is_found = True
        points = [(_time_ms(row[timed]), row) for row in table.rows]
        points = sorted((each for each in points if each[0] is not None), key=_first)
        labels = _labels(table)
        for place in places:
            values = [_cell(row[place], table.types[place]) for _, row in points]
            name = table.names[place]
            if name == "_value":
                name = _constant(table, "_field") or _constant(table, "_measurement") or name
            frames.add_series(labels, [time or 0 for time, _ in points], values, name=name)
    if not is_found:
        raise QueryError(
            "A time series needs _time and a column of numbers; ask for a table.", status=422
        )
    return frames.frames()


def _first(each: tuple[int | None, list[str]]) -> int:
    return each[0] or 0


def row_frames(
    tables: Sequence[Table], context: DatasourceContext, text: str, query: DataQuery
) -> list[Frame]:
    """Return one table of all tables."""
    names: dict[str, FieldType | None] = {}
    for table in tables:
        for name, kind in zip(table.names, table.types, strict=True):
            if name not in _HIDDEN:
                names.setdefault(name, _field_type(kind))
    columns = [Column(name=name, type=kind) for name, kind in names.items()]
    return table_frames(
        columns, _rows(tables, list(names)), query=query, context=context, executed_query=text
    )


def _rows(tables: Sequence[Table], names: Sequence[str]) -> Iterator[Sequence[object]]:
    for table in tables:
        places = {name: place for place, name in enumerate(table.names)}
        for row in table.rows:
            yield [
                _object(row[places[name]], table.types[places[name]]) if name in places else None
                for name in names
            ]


def _field_type(kind: str) -> FieldType | None:
    if kind in _NUMBERS:
        return FieldType.NUMBER
    if kind == "boolean":
        return FieldType.BOOLEAN
    return FieldType.TIME if kind.startswith("dateTime") else FieldType.STRING


def _object(text: str, kind: str) -> object:
    if kind.startswith("dateTime"):
        return _moment(text)
    return _cell(text, kind)


def _cell(text: str, kind: str) -> JsonValue:
    """Return a cell by its type; an empty one is null, but for texts."""
    if kind in _NUMBERS:
        try:
            return float(text) if kind == "double" else int(text)
        except ValueError:
            return None
    if kind == "boolean":
        return None if not text else text == "true"
    return text


def _moment(text: str) -> datetime | None:
    # Nine digits of a second are more than Python reads.
    head, dot, tail = text.partition(".")
    digits = tail.rstrip("Z")
    if dot and digits.isdecimal():
        text = f"{head}.{digits[:6]:0<6}{tail[len(digits) :]}"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _time_ms(text: str) -> int | None:
    moment = _moment(text)
    return None if moment is None else round(moment.timestamp() * 1000)


def _labels(table: Table) -> dict[str, str]:
    if not table.rows:
        return {}
    return {
        name: value
        for name, is_group, value in zip(table.names, table.is_group, table.rows[0], strict=True)
        if is_group and name not in _NO_LABELS | _HIDDEN
    }


def _constant(table: Table, name: str) -> str:
    return table.rows[0][table.names.index(name)] if name in table.names and table.rows else ""
