"""Frames to values and back.

Semantics: ``pkg/expr/converter.go`` of Grafana: a table with one number column is a set of numbers
whose labels are its string columns, a wide frame is one series for each number column, a long one
is spread by its string columns; no frame, or one without a field, is no data.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.contracts.types import Labels
from detectviz.queries.errors import ExpressionError
from detectviz.queries.expressions.values import (
    Floats,
    Mask,
    Times,
    Value,
    ValueKind,
    Values,
    array_of,
    no_data,
    number,
)

_MOST_VALUES = 100_000


def values_of(frames: Sequence[Frame]) -> Values:
    """Return what frames hold; raise ExpressionError for frames that hold no numbers."""
    found: list[Value] = []
    for frame in frames:
        if frame.fields:
            found += _of_frame(frame)
        if len(found) > _MOST_VALUES:
            raise ExpressionError(f"more than {_MOST_VALUES:,} values are too many to compute with")
    return tuple(found) or (no_data(),)


def frames_of(values: Values, ref_id: str) -> list[Frame]:
    """Return a frame for each value; no data is an empty frame."""
    return [_frame(value, ref_id) for value in values]


def _of_frame(frame: Frame) -> list[Value]:
    times = [each for each in frame.fields if each.type is FieldType.TIME]
    numbers = [each for each in frame.fields if each.type in {FieldType.NUMBER, FieldType.BOOLEAN}]
    strings = [each for each in frame.fields if each.type is FieldType.STRING]
    if not numbers and not frame.rows:
        return []  # no rows: some databases then know no types of columns either
    if not numbers:
        raise ExpressionError(
            "the result is no time series and has no column of numbers to compute with"
        )
    if not times or frame.shape == "numeric":
        return _numbers(frame, numbers, strings)
    if strings:
        return _long(times[0], numbers, strings)
    return _wide(times[0], numbers)


def _numbers(frame: Frame, numbers: list[Field], strings: list[Field]) -> list[Value]:
    if frame.shape == "numeric" and frame.rows <= 1:
        return [
            number(value, each.labels, name=each.name)
            for each in numbers
            for value in _floats(each)
        ]
    if len(numbers) != 1:
        raise ExpressionError(
            f"the table has {len(numbers)} columns of numbers, and no time; one is needed"
        )
    rows = zip(*(each.values for each in strings), strict=True) if strings else None
    found = []
    for value in _floats(numbers[0]):
        labels = dict(numbers[0].labels)
        if rows is not None:
            labels |= _row_labels(strings, next(rows))
        found.append(number(value, labels, name=numbers[0].name))
    return found


def _wide(time: Field, numbers: list[Field]) -> list[Value]:
    times, kept, order = _times(time)
    found = []
    for each in numbers:
        floats, nulls = array_of(_floats(each))
        found.append(_series(each, times, floats[kept][order], nulls[kept][order], each.labels))
    return found


def _long(time: Field, numbers: list[Field], strings: list[Field]) -> list[Value]:
    times, kept, order = _times(time)
    rows = list(zip(*(each.values for each in strings), strict=True))
    chosen = np.flatnonzero(kept)[order]
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, row in enumerate(chosen.tolist()):
        groups.setdefault(rows[row], []).append(place)
    found = []
    for each in numbers:
        floats, nulls = array_of(_floats(each))
        for key, places in groups.items():
            labels = {**each.labels, **_row_labels(strings, key)}
            mine = chosen[places]
            found.append(_series(each, times[places], floats[mine], nulls[mine], labels))
    return found


def _series(each: Field, times: Times, floats: Floats, nulls: Mask, labels: Labels) -> Value:
    return Value(
        kind=ValueKind.SERIES, floats=floats, nulls=nulls, labels=labels, times=times,
        name=each.name,
    )  # fmt: skip


def _times(time: Field) -> tuple[Times, Mask, np.ndarray]:
    """Return ordered times, which rows have one, and the order of these."""
    floats, nulls = array_of([_float(each) for each in time.values])
    kept = ~nulls
    times = floats[kept].astype(np.int64)
    order = np.argsort(times, kind="stable")
    return times[order], kept, order


def _floats(each: Field) -> list[float | None]:
    return [_float(value) for value in each.values]


def _float(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool | int | float | np.number | np.bool_):
        return float(value)
    raise ExpressionError(f"{value!r} stands in a column of numbers")


def _row_labels(strings: list[Field], row: tuple[object, ...]) -> dict[str, str]:
    return {
        each.name: "" if value is None else str(value)
        for each, value in zip(strings, row, strict=True)
    }


def _frame(value: Value, ref_id: str) -> Frame:
    frame = Frame(fields=(), ref_id=ref_id, notices=value.notices, meta=value.meta)
    if value.is_no_data:
        return frame
    numbers = Field(name=ref_id, type=FieldType.NUMBER, values=value.points(), labels=value.labels)
    if not value.is_series:
        return replace(frame, fields=(numbers,), shape="numeric")
    times = Field(name="time", type=FieldType.TIME, values=value.times.tolist())
    return replace(frame, fields=(times, numbers), shape="time-series")
