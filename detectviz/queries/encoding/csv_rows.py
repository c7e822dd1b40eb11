"""Results as CSV: frames one below the other, an empty line between them."""

import csv
import io
import math
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson

from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.queries.caps import plain_values
from detectviz.queries.model import Results

_ROWS = 1_000
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def results_csv(results: Results) -> Iterator[bytes]:
    """Yield CSV (RFC 4180), times as RFC 3339; a text a spreadsheet would compute gets a ``'``."""
    is_first = True
    for outcome in results.shown():
        for frame in outcome.frames:
            if not frame.fields:
                continue
            if not is_first:
                yield b"\r\n"
            is_first = False
            yield from _frame(frame)


def _frame(frame: Frame) -> Iterator[bytes]:
    yield _lines([[_text(_title(each)) for each in frame.fields]])
    for start in range(0, frame.rows, _ROWS):
        columns = [
            [_cell(each, value) for value in plain_values(_part(each, start))]
            for each in frame.fields
        ]
        yield _lines([list(row) for row in zip(*columns, strict=True)])


def _part(each: Field, start: int) -> Field:
    return Field(name=each.name, type=each.type, values=each.values[start : start + _ROWS])


def _title(each: Field) -> str:
    if not each.labels:
        return each.name
    labels = ", ".join(f'{name}="{value}"' for name, value in each.labels.items())
    return f"{each.name}{{{labels}}}"


def _cell(each: Field, value: object) -> str:
    if value is None:
        return ""
    if each.type is FieldType.TIME and isinstance(value, int | float):
        return _time(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return str(value)
    return _text(orjson.dumps(value, default=str).decode())


def _time(value: float) -> str:
    try:
        moment = datetime.fromtimestamp(value / 1000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return str(value)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _float(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")


def _text(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _lines(rows: list[list[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()
