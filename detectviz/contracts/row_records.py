"""Rows of tables turned into records, by the operator's mapping; the same for every importer.

A schema takes part with the properties ``as`` (rows, metrics, logs), ``time_column``,
``time_format``, ``value_columns``, ``metric_name``, ``metric_column``, ``label_columns``,
``body_column`` and ``severity_column``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Protocol

from detectviz.contracts.batches import Batch
from detectviz.contracts.config import get_int, get_text, get_texts
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.record_documents import parse_time_ms
from detectviz.contracts.records import LogRecord, MetricRecord, Record, RecordError, RowRecord
from detectviz.contracts.types import JsonObject, JsonValue

_UNITS_MS: Final = {"unix": 1000.0, "unix_ms": 1.0, "unix_us": 1e-3, "unix_ns": 1e-6}
_SAMPLE_CHARACTERS: Final = 200
Row = Mapping[str, object]


class RowError(ValueError):
    """A row does not fit the mapping; the message names column and value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowMapping:
    """How rows become records. ``now_ms`` stamps rows without a time column."""

    kind: str
    time_column: str
    time_format: str
    value_columns: tuple[str, ...]
    metric_name: str
    metric_column: str
    label_columns: tuple[str, ...]
    body_column: str
    severity_column: str
    now_ms: int

    def records(self, row: Row) -> Iterator[Record]:
        """Yield the records of a row; raise RowError for one that does not fit."""
        if self.kind == "metrics":
            yield from self._metrics(row)
        elif self.kind == "logs":
            yield self._log(row)
        else:
            yield RowRecord(values={name: json_value(value) for name, value in row.items()})

    def _metrics(self, row: Row) -> Iterator[Record]:
        at_ms, labels = self._time_ms(row), self._labels(row)
        for column in self.value_columns:
            value = _column(row, column)
            if value is None or value == "":
                continue
            yield MetricRecord(
                labels={"__name__": self._metric(row, column), **labels},
                timestamp_ms=at_ms,
                value=_number(column, value),
            )

    def _metric(self, row: Row, column: str) -> str:
        if self.metric_column:
            return str(_column(row, self.metric_column))
        return self.metric_name or column

    def _log(self, row: Row) -> Record:
        told = {self.time_column, self.body_column, self.severity_column, *self.label_columns}
        rest = {name: json_value(value) for name, value in row.items() if name not in told}
        severity = _column(row, self.severity_column) if self.severity_column else ""
        return LogRecord(
            timestamp_ms=self._time_ms(row),
            body=str(_column(row, self.body_column)),
            severity=str(severity or "").lower(),
            labels=self._labels(row),
            attributes=rest,
        )

    def _labels(self, row: Row) -> dict[str, str]:
        found = ((name, _column(row, name)) for name in self.label_columns)
        return {name: str(value) for name, value in found if value is not None and value != ""}

    def _time_ms(self, row: Row) -> int:
        if not self.time_column:
            return self.now_ms
        value = _column(row, self.time_column)
        try:
            if isinstance(value, datetime):
                at = value if value.tzinfo else value.replace(tzinfo=UTC)
                return int(at.timestamp() * 1000)
            return _TIMES.get(self.time_format, self._formatted_ms)(str(value))
        except (ValueError, OverflowError) as error:
            raise RowError(
                f"{self.time_column} is {value!r}, no time as {self.time_format or 'RFC 3339'}."
            ) from error

    def _formatted_ms(self, text: str) -> int:
        at = datetime.strptime(text, self.time_format)  # noqa: DTZ007 - the next line sees to it
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _unix(scale: float) -> Callable[[str], int]:
    return lambda text: round(float(text) * scale)


_TIMES: Final[Mapping[str, Callable[[str], int]]] = {
    "": parse_time_ms,
    "rfc3339": parse_time_ms,
    **{name: _unix(scale) for name, scale in _UNITS_MS.items()},
}


def row_mapping(config: JsonObject, *, now: datetime) -> RowMapping:
    """Return the mapping a configuration describes; raise ConfigurationError naming the field."""
    mapping = RowMapping(
        kind=get_text(config, "as", "rows"),
        time_column=get_text(config, "time_column"),
        time_format=get_text(config, "time_format"),
        value_columns=get_texts(config, "value_columns"),
        metric_name=get_text(config, "metric_name"),
        metric_column=get_text(config, "metric_column"),
        label_columns=get_texts(config, "label_columns"),
        body_column=get_text(config, "body_column"),
        severity_column=get_text(config, "severity_column"),
        now_ms=int(now.timestamp() * 1000),
    )
    if mapping.kind == "metrics" and not mapping.value_columns:
        message = "Name the columns that hold values."
        raise ConfigurationError(message, field="/value_columns")
    if mapping.kind == "logs" and not mapping.body_column:
        raise ConfigurationError("Name the column that holds the line.", field="/body_column")
    return mapping


class RowReader(Protocol):
    """Anything that makes records of rows, as a RowMapping does."""

    def records(self, row: Row) -> Iterator[Record]:
        """Yield the records of a row; raise RowError for one that does not fit."""


def row_batches(
    rows: Iterable[Row | RowError],
    mapping: RowReader,
    *,
    first: int,
    batch_size: int,
    is_cancelled: Callable[[], bool],
    total: int | None = None,
) -> Iterator[Batch]:
    """Yield the records of ``rows`` in batches; the cursor is ``{"row": how many were read}``.

    ``rows`` begin after the ``first`` ones; what could not be read is a RowError in a row's place.
    That, and a row that does not fit, is an error of its batch.
    """
    records: list[Record] = []
    errors: list[RecordError] = []
    count = first
    for count, row in enumerate(rows, first + 1):
        try:
            if isinstance(row, RowError):
                raise row
            records += mapping.records(row)
        except RowError as error:
            sample = "" if isinstance(row, RowError) else str(dict(row))[:_SAMPLE_CHARACTERS]
            errors.append(RecordError(place=f"row {count}", message=str(error), sample=sample))
        if len(records) + len(errors) >= batch_size:
            yield _batch(records, errors, count, total)
            if is_cancelled():
                return
            records, errors = [], []
    if records or errors:
        yield _batch(records, errors, count, total)


def _batch(
    records: list[Record], errors: list[RecordError], count: int, total: int | None
) -> Batch:
    return Batch(records=records, cursor={"row": count}, total=total, errors=tuple(errors))


def rows_read(cursor: JsonObject) -> int:
    """Return how many rows a run has stored already, by its cursor."""
    return get_int(cursor, "row")


def json_value(value: object) -> JsonValue:
    """Return a value of a driver as JSON: times as RFC 3339, decimals as numbers, bytes as text."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, datetime):
        at = value if value.tzinfo else value.replace(tzinfo=UTC)
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {str(key): json_value(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [json_value(inner) for inner in value]
    return str(value)


def _column(row: Row, name: str) -> object:
    """Return a cell; a dot leads into an object."""
    if name in row:
        return row[name]
    first, _, rest = name.partition(".")
    inner = row.get(first)
    if rest and isinstance(inner, Mapping):
        return _column(inner, rest)
    known = ", ".join(map(str, row)) or "none"
    raise RowError(f"There is no column {name}; there are: {known}.")


def _number(column: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError) as error:
        raise RowError(f"{column} is {value!r}, no number.") from error
