"""A long table (time, texts, numbers) as series: texts become labels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from detectviz.contracts.datasource import TimeRange
from detectviz.contracts.errors import QueryError
from detectviz.contracts.frames import Field, FieldType, Frame, Notice
from detectviz.contracts.sql.macros import Fill
from detectviz.contracts.types import JsonValue

_METRIC: Final = "metric"
# A wide frame may hold this many times the cells of its rows; sparser series get a frame each.
_SPARSEST: Final = 8

_Key = tuple[str, tuple[tuple[str, str], ...]]
_Series = dict[_Key, dict[int, JsonValue]]


def series_frames(
    table: Frame, fill: Fill | None, time_range: TimeRange, max_rows: int
) -> list[Frame]:
    """Return the series of ``table``: one wide frame, or a frame each where that would be sparse.

    The time column is the first of type time. Text columns become labels; the one called
    ``metric`` becomes the name of the series (before the column's where there are several number
    columns). Semantics of Grafana's SQL datasources. Raise QueryError where there is no column of
    time or of numbers.
    """
    time_field = _time_field(table)
    series, dropped = _collect(table, time_field)
    times = sorted({time_ms for points in series.values() for time_ms in points})
    if fill is not None:
        times = _grid(times, fill, time_range, max_rows)
    notices = table.notices if not dropped else (*table.notices, _dropped_notice(dropped))
    if len(times) * len(series) <= _SPARSEST * max(table.rows, len(times), 1):
        return [_wide(time_field.name, times, series, fill, notices)]
    frames = [
        _wide(time_field.name, times if fill else sorted(points), {key: points}, fill, ())
        for key, points in series.items()
    ]
    return [replace(frames[0], notices=notices), *frames[1:]]


def _time_field(table: Frame) -> Field:
    for field in table.fields:
        if field.type is FieldType.TIME:
            return field
    raise QueryError(
        "A time series needs a column of points in time; select one as time, or ask for a table.",
        status=422,
    )


def _collect(table: Frame, time_field: Field) -> tuple[_Series, int]:
    numbers = [each for each in table.fields if each.type in {FieldType.NUMBER, FieldType.BOOLEAN}]
    empty = [each for each in table.fields if each.type is FieldType.STRING and _is_empty(each)]
    numbers = numbers or empty
    texts = [each for each in table.fields if each.type is FieldType.STRING and each not in numbers]
    if not numbers:
        raise QueryError("A time series needs a column of numbers beside its time.", status=422)
    series: _Series = {}
    dropped = 0
    for row, time_ms in enumerate(time_field.values):
        if not isinstance(time_ms, int):
            dropped += 1
            continue
        metric, labels = _labels(texts, row)
        for number in numbers:
            name = _name(metric, number.name, several=len(numbers) > 1)
            value = number.values[row]
            series.setdefault((name, labels), {})[time_ms] = _float(value)
    if not series:
        series = {(each.name, ()): {} for each in numbers}
    return series, dropped


def _is_empty(field: Field) -> bool:
    return all(value is None for value in field.values)


def _float(value: JsonValue) -> JsonValue:
    return int(value) if isinstance(value, bool) else value


def _labels(texts: Sequence[Field], row: int) -> tuple[str, tuple[tuple[str, str], ...]]:
    metric, labels = "", []
    for text in texts:
        value = text.values[row]
        if text.name.lower() == _METRIC:
            metric = str(value or "")
        elif value is not None:
            labels.append((text.name, str(value)))
    return metric, tuple(labels)


def _name(metric: str, column: str, *, several: bool) -> str:
    if not metric:
        return column
    return f"{metric} {column}" if several else metric


def _grid(times: list[int], fill: Fill, time_range: TimeRange, max_rows: int) -> list[int]:
    first = time_range.start_ms // fill.step_ms * fill.step_ms
    if (time_range.end_ms - first) // fill.step_ms >= max_rows:
        raise QueryError(
            f"Filling gaps makes more than {max_rows} points; use a longer step.", status=413
        )
    return sorted({*times, *range(first, time_range.end_ms + 1, fill.step_ms)})


def _dropped_notice(count: int) -> Notice:
    return Notice(severity="warning", text=f"{count} rows without a time are left out.")


def _wide(
    time_name: str,
    times: list[int],
    series: _Series,
    fill: Fill | None,
    notices: tuple[Notice, ...],
) -> Frame:
    fields = [Field(name=time_name, type=FieldType.TIME, values=times)]
    for (name, labels), points in series.items():
        fields.append(
            Field(
                name=name,
                type=FieldType.NUMBER,
                values=_filled(times, points, fill),
                labels=dict(labels),
            )
        )
    return Frame(fields=tuple(fields), shape="time-series", notices=notices)


def _filled(times: list[int], points: dict[int, JsonValue], fill: Fill | None) -> list[JsonValue]:
    if fill is None or fill.value is None:
        return [points.get(time_ms) for time_ms in times]
    if fill.value != "previous":
        return [points.get(time_ms, fill.value) for time_ms in times]
    values: list[JsonValue] = []
    last: JsonValue = None
    for time_ms in times:
        last = points.get(time_ms, last)
        values.append(last)
    return values
