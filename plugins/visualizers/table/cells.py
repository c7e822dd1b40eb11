"""Frames as cells that can be shown."""

import json
from datetime import UTC, datetime

from detectviz.contracts.drawings import Column
from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.contracts.readings import number_of
from detectviz.contracts.types import JsonScalar

_LONGEST = 500


def columns_of(frame: Frame) -> tuple[Column, ...]:
    """Return a column for each field."""
    return tuple(
        Column(title=each.name, unit=each.unit, is_number=each.type is FieldType.NUMBER)
        for each in frame.fields
    )


def rows_of(frame: Frame, most: int) -> tuple[tuple[JsonScalar, ...], ...]:
    """Return the first rows."""
    columns = [[_cell(each, value) for value in each.values[:most]] for each in frame.fields]
    return tuple(zip(*columns, strict=True))


def _cell(each: Field, value: object) -> JsonScalar:
    if value is None:
        return None
    if each.type is FieldType.NUMBER:
        return number_of(value)
    if each.type is FieldType.TIME:
        number = number_of(value)
        return None if number is None else _moment(number)
    if each.type is FieldType.OTHER:
        return json.dumps(value, ensure_ascii=False, default=str)[:_LONGEST]
    return value if isinstance(value, bool) else str(value)[:_LONGEST]


def _moment(at_ms: float) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return str(at_ms)
