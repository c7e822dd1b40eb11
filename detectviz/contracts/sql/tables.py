"""Rows of a database as frames: a table, or series by ``time_series``."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, Literal

from detectviz.contracts.answers import AnswerBudget
from detectviz.contracts.config import get_text
from detectviz.contracts.datasource import DataQuery, DatasourceContext
from detectviz.contracts.errors import QueryError
from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.contracts.sql.dialect import Dialect
from detectviz.contracts.sql.macros import Fill, expand, require_reading
from detectviz.contracts.sql.time_series import series_frames
from detectviz.contracts.sql.values import column_type, mapped_column, milliseconds
from detectviz.contracts.types import JsonValue

_FIRST_BATCH: Final = 16
_LARGEST_BATCH: Final = 512
_TIME_NAMES: Final = frozenset({"time", "time_sec"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A query as it is sent: macros filled in, how its rows become frames."""

    sql: str
    shape: Literal["table", "time_series"]
    fill: Fill | None
    query: DataQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of an answer. ``type`` where the database says it; else the values do."""

    name: str
    type: FieldType | None = None


@dataclass(slots=True)
class _Read:
    name: str
    type: FieldType | None
    kinds: set[FieldType | None] = field(default_factory=set)
    values: list[JsonValue] = field(default_factory=list)


def read_statement(query: DataQuery, dialect: Dialect) -> Statement:
    """Return what to send for ``query`` (``sql``, ``format`` of its model).

    Raise QueryError for macros that are wrong and statements that do not begin as ones that read.
    """
    text = get_text(query.model, "sql")
    expansion = expand(text, dialect=dialect, range=query.range, interval_ms=query.interval_ms)
    require_reading(expansion.sql, dialect)
    is_series = get_text(query.model, "format") == "time_series"
    return Statement(
        sql=expansion.sql,
        shape="time_series" if is_series else "table",
        fill=expansion.fill,
        query=query,
    )


def make_frames(
    statement: Statement,
    columns: Sequence[Column],
    rows: Iterable[Sequence[object]],
    context: DatasourceContext,
    *,
    check: Callable[[], None] = lambda: None,
) -> list[Frame]:
    """Return the frames of an answer; stops reading ``rows`` at the limits of the context.

    ``check`` is called for each batch of rows and raises when it is time to stop.
    """
    budget = AnswerBudget(max_rows=context.max_rows, max_bytes=context.max_bytes)
    read = [_Read(name, each.type) for name, each in zip(_distinct(columns), columns, strict=True)]
    for batch in _batches(rows):
        check()
        cells = [mapped_column(values) for values in zip(*batch, strict=True)]
        taken = budget.take_many([values for _, values in cells])
        if taken < len(batch):
            cells = [mapped_column(values) for values in zip(*batch[:taken], strict=True)]
        for column, (kinds, values) in zip(read, cells, strict=False):
            column.kinds |= kinds
            column.values += values
        if taken < len(batch):
            break
    frame = Frame(
        fields=tuple(_field(column) for column in read),
        notices=budget.notices,
        executed_query=statement.sql,
    )
    if statement.shape == "table":
        return [frame]
    frames = series_frames(frame, statement.fill, statement.query.range, context.max_rows)
    return [replace(each, executed_query=statement.sql) for each in frames]


def _batches(rows: Iterable[Sequence[object]]) -> Iterator[list[Sequence[object]]]:
    """Yield rows in lists, short ones first: a few rows may be large."""
    left, size = iter(rows), _FIRST_BATCH
    while batch := list(islice(left, size)):
        yield batch
        size = min(2 * size, _LARGEST_BATCH)


def _distinct(columns: Sequence[Column]) -> list[str]:
    """Return the names of columns, numbered where one is there twice."""
    names: list[str] = []
    for column in columns:
        name, number = column.name, 1
        while name in names:
            number += 1
            name = f"{column.name} {number}"
        names.append(name)
    return names


def _field(column: _Read) -> Field:
    kind = _kind(column)
    values = column.values
    if kind is FieldType.STRING:
        values = [value if value is None else _text(value) for value in values]
    if kind is FieldType.NUMBER and column.name.lower() in _TIME_NAMES:
        kind, values = FieldType.TIME, [_moment(value) for value in values]
    return Field(name=column.name, type=kind, values=values)


def _kind(column: _Read) -> FieldType:
    """Return the type the database says where the values agree, or what the values are."""
    found = column.kinds - {None}
    if column.type is not None and (column.type is FieldType.OTHER or found <= {column.type}):
        return column.type
    return column_type(list(found))


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else str(value)


def _moment(value: JsonValue) -> int | None:
    if isinstance(value, (int, float)):
        return milliseconds(value)
    return None


def require_columns(columns: Sequence[Column]) -> None:
    """Raise QueryError for a statement that answers no rows at all."""
    if not columns:
        raise QueryError("The statement answers no rows; ask with one that reads.", status=422)
