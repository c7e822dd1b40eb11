"""InfluxQL: what is sent to InfluxDB 1, and what its answer says."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from detectviz.contracts.datasource import DataQuery, DatasourceContext
from detectviz.contracts.durations import format_duration
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import Frame, Notice
from detectviz.contracts.http_source import require_list, require_object
from detectviz.contracts.point_frames import PointFrames, moment, text_labels
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.table_frames import table_frames
from detectviz.contracts.types import JsonValue

NAME: Final = "InfluxDB"
_READING: Final = frozenset({"SELECT", "SHOW", "EXPLAIN"})
_TIME: Final = "time"
# Strings, names, regular expressions and comments are one piece each and never looked into.
_PIECE: Final = re.compile(  # noqa: TID251 - our own constant
    r"""'(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" | --[^\n]* | /\*.*?\*/
    | (?:=~|!~|\bFROM\b|,)\s*/(?:\\.|[^/\\])+/ | \$\w+ | \w+ | .""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_ALIAS: Final = re.compile(r"\$(?:tag_(\w+)|(m|measurement|col)\b)|\[\[tag_(\w+)\]\]")  # noqa: TID251 - the same
_DROPPED: Final = "Columns that are no numbers are left out of the series: {}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series of an answer, as InfluxDB writes it."""

    name: str
    tags: Mapping[str, str]
    columns: Sequence[str]
    rows: Sequence[Sequence[JsonValue]]


def fill_in(text: str, query: DataQuery) -> str:
    """Return the statements with macros filled in.

    Raise QueryError for a statement that does not read.
    """
    values = _macros(query)
    pieces = [found[0] for found in _PIECE.finditer(text)]
    _require_reading(pieces)
    return "".join(values.get(piece, piece) for piece in pieces)


def _macros(query: DataQuery) -> dict[str, str]:
    span = query.range
    between = f"time >= {span.start_ms}ms AND time <= {span.end_ms}ms"
    interval = format_duration(max(query.interval_ms, 1) / 1000)
    return {
        "$timeFilter": between,
        "$__timeFilter": between,
        "$interval": interval,
        "$__interval": interval,
        "$__interval_ms": str(query.interval_ms),
    }


def _require_reading(pieces: Sequence[str]) -> None:
    words: list[str] = []
    for piece in (*pieces, ";"):
        if piece == ";":
            if words and (words[0] not in _READING or "INTO" in words):
                raise QueryError(
                    "Only statements that read are sent; begin with SELECT, SHOW or EXPLAIN and"
                    " leave out INTO."
                )
            words = []
        elif piece[0].isalnum() or piece[0] == "_":
            words.append(piece.upper())


def read_series(document: JsonValue) -> tuple[list[Series], list[Notice]]:
    """Return the series of all statements and what the server has to say of them.

    Raise QueryError for a statement it refused.
    """
    series: list[Series] = []
    notices: list[Notice] = []
    for each in require_list(require_object(document, NAME).get("results"), NAME):
        result = require_object(each, NAME)
        if result.get("error"):
            raise QueryError(f"{NAME} refuses the query: {result['error']}")
        for message in require_list(result.get("messages", []), NAME):
            said = text_labels(message)
            notices.append(Notice(severity="warning", text=said.get("text", "")))
        found = [_one(one) for one in require_list(result.get("series", []), NAME)]
        if result.get("partial") or any(is_cut for _, is_cut in found):
            text = "InfluxDB cut its answer; ask for less."
            notices.append(Notice(severity="warning", text=text))
        series += [one for one, _ in found]
    return series, notices


def _one(value: JsonValue) -> tuple[Series, bool]:
    series = require_object(value, NAME)
    columns = [str(name) for name in require_list(series.get("columns"), NAME)]
    rows: list[Sequence[JsonValue]] = []
    for row in require_list(series.get("values", []), NAME):
        if not isinstance(row, list) or len(row) != len(columns):
            raise PluginError(f"What answered is not {NAME}: a row of it has another length.")
        rows.append(row)
    made = Series(
        name=str(series.get("name", "")),
        tags=text_labels(series.get("tags")),
        columns=columns,
        rows=rows,
    )
    return made, series.get("partial") is True


def point_frames(
    series: Sequence[Series],
    notices: Sequence[Notice],
    context: DatasourceContext,
    sql: str,
    alias: str,
) -> list[Frame]:
    """Return a frame for each number column of each series; its tags are labels."""
    frames = PointFrames(context, sql)
    dropped: dict[str, None] = {}
    for one in series:
        rows = sorted((row for row in one.rows if isinstance(row[0], int)), key=_row_time)
        times = [_row_time(row) for row in rows]
        for place, column in enumerate(one.columns[1:], start=1):
            values = [row[place] for row in rows]
            if any(isinstance(value, str) for value in values):
                dropped[column] = None
                continue
            numbers = [int(value) if isinstance(value, bool) else value for value in values]
            frames.add_series(one.tags, times, numbers, name=_name(one, column, alias))
    if dropped:
        notices = [*notices, Notice(severity="info", text=_DROPPED.format(", ".join(dropped)))]
    return frames.frames(notices)


def row_frames(
    series: Sequence[Series],
    notices: Sequence[Notice],
    context: DatasourceContext,
    sql: str,
    query: DataQuery,
) -> list[Frame]:
    """Return one table of all series: time, tags, columns."""
    tags = list(dict.fromkeys(name for one in series for name in one.tags))
    names = list(dict.fromkeys(name for one in series for name in one.columns))
    has_name = len({one.name for one in series}) > 1
    columns = [Column(name=name) for name in (*["name"][:has_name], *tags, *names)]
    return table_frames(
        columns,
        _rows(series, tags, names, has_name=has_name),
        query=query,
        context=context,
        executed_query=sql,
        notices=notices,
    )


def _rows(
    series: Sequence[Series], tags: Sequence[str], names: Sequence[str], *, has_name: bool
) -> Iterator[Sequence[object]]:
    for one in series:
        head: list[object] = [one.name] if has_name else []
        head += [one.tags.get(tag) for tag in tags]
        for row in one.rows:
            cells = dict(zip(one.columns, row, strict=True))
            yield [*head, *(_cell(name, cells.get(name)) for name in names)]


def _cell(name: str, value: JsonValue) -> object:
    return moment(value) if name == _TIME and isinstance(value, int) else value


def is_timed(series: Sequence[Series]) -> bool:
    """Say whether all series have points in time."""
    return all(one.columns and one.columns[0] == _TIME for one in series)


def _row_time(row: Sequence[JsonValue]) -> int:
    time_ms = row[0]
    return time_ms if isinstance(time_ms, int) else 0


def _name(series: Series, column: str, alias: str) -> str:
    if not alias:
        return f"{series.name}.{column}"
    known = {"m": series.name, "measurement": series.name, "col": column}

    def fill(found: re.Match[str]) -> str:
        tag = found[1] or found[3]
        return series.tags.get(tag, "") if tag else known[found[2]]

    return _ALIAS.sub(fill, alias)


def quoted(name: str) -> str:
    """Return a name of InfluxQL in quotation marks."""
    text = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{text}"'
