"""Tables out of CSV, from a URL or a file."""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from detectviz.contracts.config import get_bool, get_text, get_texts
from detectviz.contracts.datasource import DataQuery, DatasourceContext, Health, ResourceRequest
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import FieldType, Frame
from detectviz.contracts.http_source import HttpSource, relative_path
from detectviz.contracts.point_frames import moment
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.sql.values import milliseconds
from detectviz.contracts.table_frames import table_frames
from detectviz.contracts.types import JsonObject

NAME: Final = "The file server"
_TIMES: Final = ("time", "date", "timestamp", "@timestamp", "datetime")
_ACCEPT: Final = "text/csv, */*"
_OVERHEAD: Final = 4


class CsvDatasource:
    """Reads a whole table and takes what fits."""

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return the rows as a table, or as series."""
        names, rows = _table(context, get_text(query.model, "path"))
        columns = [_Reader(query, context, name, _cells(rows, n)) for n, name in enumerate(names)]
        timed = next((n for n, each in enumerate(columns) if each.is_time), None)
        made = [Column(name=each.name, type=each.type) for each in columns]
        is_series = get_text(query.model, "format") == "time_series" and bool(rows)
        return table_frames(
            made,
            _read_rows(columns, rows, _kept(query, timed)),
            query=query,
            context=context,
            executed_query=get_text(query.model, "path"),
            shape="time_series" if is_series else "table",
        )

    def check_health(self, context: DatasourceContext) -> Health:
        """Reach the address; a datasource of files has nothing to reach."""
        if not context.settings.url:
            return Health(status="ok", message="Files of the organisation's folder can be read.")
        try:
            _source(context).fetch("", accept=_ACCEPT)
        except QueryError as error:
            return Health(status="ok", message=f"The server answers; it says: {error.message}")
        except PluginError as error:
            return Health(status="error", message=error.message)
        return Health(status="ok", message=f"{NAME} answers.")

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return the ``columns`` of the parameter ``path``."""
        if request.path != "columns":
            raise QueryError("There is no such resource; use columns.", status=404)
        return {"columns": _table(context, request.parameters.get("path", ""))[0]}


class _Reader:
    """What the cells of one column are."""

    def __init__(
        self, query: DataQuery, context: DatasourceContext, name: str, cells: list[str]
    ) -> None:
        self.name = name
        self._format = get_text(query.model, "time_format")
        self._has_comma = get_bool(context.settings.json_data, "decimal_comma")
        wanted = get_text(query.model, "time_column")
        self.is_time = name == wanted or (not wanted and name.lower() in _TIMES)
        filled = [cell for cell in cells if cell.strip()]
        is_text = name in get_texts(query.model, "text_columns")
        self._is_number = not is_text and bool(filled) and all(map(self._is_numeric, filled))

    @property
    def type(self) -> FieldType:
        """The type of the column."""
        if self.is_time:
            return FieldType.TIME
        return FieldType.NUMBER if self._is_number else FieldType.STRING

    def read(self, cell: str) -> object:
        """Return the value of one cell; an empty one is null, but for texts."""
        if self.is_time:
            return self._moment(cell.strip())
        return self._number(cell) if self._is_number else cell

    def _is_numeric(self, cell: str) -> bool:
        return self._number(cell) is not None

    def _number(self, cell: str) -> float | None:
        text = cell.strip()
        if self._has_comma:
            text = text.replace(".", "").replace(",", ".")
        try:
            return float(text) if "_" not in text else None
        except ValueError:
            return None

    def _moment(self, text: str) -> datetime | None:
        number = self._number(text)
        if number is not None and not self._format:
            return moment(milliseconds(number))
        try:
            if self._format:
                found = datetime.strptime(text, self._format)  # noqa: DTZ007 - the zone comes below
            else:
                found = datetime.fromisoformat(text)
        except ValueError:
            return None
        return found if found.tzinfo else found.replace(tzinfo=UTC)


def _table(context: DatasourceContext, path: str) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the rows, all of one length."""
    config = context.settings.json_data
    body = _download(context, path) if context.settings.url else _file(context, path)
    try:
        text = body.decode(get_text(config, "encoding", "utf-8")).removeprefix("\ufeff")
        found = csv.reader(StringIO(text, newline=""), delimiter=get_text(config, "delimiter", ","))
        rows = [row for row in found if row]
    except (csv.Error, UnicodeError) as error:
        raise QueryError(f"This is no CSV: {error}", status=422) from error
    if not rows:
        raise QueryError("There is nothing in this file.", status=422)
    width = max(map(len, rows))
    head = rows.pop(0) if get_bool(config, "has_header", default=True) else []
    names = [*head, *(f"column {place + 1}" for place in range(len(head), width))]
    return names, [[*row, *[""] * (width - len(row))] for row in rows]


def _file(context: DatasourceContext, path: str) -> bytes:
    most = context.max_bytes * _OVERHEAD
    try:
        with Path(context.connector.file(unquote(path))).open("rb") as file:
            body = file.read(most + 1)
    except OSError as error:
        raise PluginError(f"The file cannot be read: {error.strerror}") from error
    if len(body) > most:
        raise QueryError("The file is larger than allowed.", status=413)
    return body


def _download(context: DatasourceContext, path: str) -> bytes:
    place, parameters = relative_path(path)
    return _source(context).fetch(place, parameters, accept=_ACCEPT).body


def _source(context: DatasourceContext) -> HttpSource:
    return HttpSource(context, name=NAME, reason=lambda _: "")


def _cells(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    return [row[place] for row in rows]


def _kept(query: DataQuery, timed: int | None) -> tuple[int, float, float] | None:
    """Return the column of time and the range its values lie in; None where all rows stay."""
    if timed is None or not get_bool(query.model, "in_range", default=True):
        return None
    return timed, query.range.start_ms / 1000, query.range.end_ms / 1000


def _read_rows(
    columns: Sequence[_Reader],
    rows: Sequence[Sequence[str]],
    kept: tuple[int, float, float] | None,
) -> Iterator[Sequence[object]]:
    for row in rows:
        values = [column.read(cell) for column, cell in zip(columns, row, strict=True)]
        if kept is not None:
            time = values[kept[0]]
            if not isinstance(time, datetime) or not kept[1] <= time.timestamp() <= kept[2]:
                continue
        yield values
