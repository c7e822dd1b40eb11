"""Values of database drivers as values of frames."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, cast
from uuid import UUID

from detectviz.contracts.frames import FieldType
from detectviz.contracts.types import JsonValue

_DAY_MS: Final = 86_400_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
# Seconds below, then milliseconds, microseconds and nanoseconds, as Grafana tells them apart.
_LARGEST_SECONDS: Final = 1e11
_UNITS: Final = ((1e11, 1e3), (1e14, 1.0), (1e17, 1e-3), (math.inf, 1e-6))


def mapped(value: object) -> tuple[FieldType | None, JsonValue]:
    r"""Return the type a driver's value has in a frame, and its value there; None has no type.

    Points in time become Unix milliseconds (without a zone they are UTC), exact numbers floats,
    bytes ``\x…`` in hexadecimal, times of day and everything unknown text.
    """
    mapper = _MAPPERS.get(type(value))
    if mapper is not None:
        return mapper(value)
    for kind, fallback in _MAPPERS.items():
        if isinstance(value, kind):
            return fallback(value)
    return FieldType.STRING, str(value)


def mapped_column(values: Sequence[object]) -> tuple[set[FieldType | None], list[JsonValue]]:
    """Return ``mapped`` of many values of one column: the types found and the values."""
    kinds = set(map(type, values)) - {type(None)}
    if len(kinds) == 1:
        (kind,) = kinds
        if kind in _PLAIN:
            return {_PLAIN[kind]}, cast("list[JsonValue]", list(values))
        mapper = _MAPPERS.get(kind)
        if mapper is not None:
            found, _ = mapper(next(value for value in values if value is not None))
            return {found}, [None if value is None else mapper(value)[1] for value in values]
    pairs = [mapped(value) for value in values]
    return {kind for kind, _ in pairs}, [value for _, value in pairs]


def milliseconds(number: float) -> int | None:
    """Return Unix milliseconds of a number that is seconds or a finer unit, by its size."""
    if not math.isfinite(number):
        return None
    factor = next(factor for limit, factor in _UNITS if abs(number) < limit)
    return round(number * factor)


def _datetime(value: object) -> tuple[FieldType, JsonValue]:
    assert isinstance(value, datetime)
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return FieldType.TIME, (aware - _EPOCH) // _MILLISECOND


def _date(value: object) -> tuple[FieldType, JsonValue]:
    assert isinstance(value, date)
    return FieldType.TIME, (value.toordinal() - _EPOCH_DAY) * _DAY_MS


def _decimal(value: object) -> tuple[FieldType, JsonValue]:
    assert isinstance(value, Decimal)
    return FieldType.NUMBER, float(value)


def _bytes(value: object) -> tuple[FieldType, JsonValue]:
    assert isinstance(value, (bytes, bytearray, memoryview))
    return FieldType.STRING, f"\\x{bytes(value).hex()}"


def _nested(value: object) -> tuple[FieldType, JsonValue]:
    return FieldType.OTHER, _json(value)


def _json(value: object) -> JsonValue:
    if isinstance(value, Mapping):
        return {str(key): _json(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_json(inner) for inner in value]
    kind, plain = mapped(value)
    return str(value) if kind is FieldType.TIME else plain


def _as(kind: FieldType | None) -> Callable[[object], tuple[FieldType | None, JsonValue]]:
    def mapper(value: object) -> tuple[FieldType | None, JsonValue]:
        assert value is None or isinstance(value, (bool, int, float, str))
        return kind, value

    return mapper


_PLAIN: Final[Mapping[type, FieldType]] = {
    bool: FieldType.BOOLEAN,
    int: FieldType.NUMBER,
    float: FieldType.NUMBER,
    str: FieldType.STRING,
}
_MAPPERS: Final[Mapping[type, Callable[[object], tuple[FieldType | None, JsonValue]]]] = {
    type(None): _as(None),
    bool: _as(FieldType.BOOLEAN),
    int: _as(FieldType.NUMBER),
    float: _as(FieldType.NUMBER),
    str: _as(FieldType.STRING),
    Decimal: _decimal,
    datetime: _datetime,
    date: _date,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    dict: _nested,
    list: _nested,
    tuple: _nested,
    set: _nested,
    UUID: lambda value: (FieldType.STRING, str(value)),
    time: lambda value: (FieldType.STRING, str(value)),
    timedelta: lambda value: (FieldType.STRING, str(value)),
}


def column_type(kinds: Sequence[FieldType | None]) -> FieldType:
    """Return the type of a column from those of its values; mixed ones are text."""
    found = {kind for kind in kinds if kind is not None}
    return found.pop() if len(found) == 1 else FieldType.STRING
