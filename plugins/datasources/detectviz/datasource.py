"""PromQL over the org's own series."""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Final, cast

from detectviz.contracts.config import get_duration_s, get_text
from detectviz.contracts.datasource import DataQuery, DatasourceContext, Health, ResourceRequest
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import Field, FieldType, Frame, Notice
from detectviz.contracts.point_frames import METRIC, VALUE, PointFrames, legend_of, moment
from detectviz.contracts.series import SeriesQuerier
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.sql.watch import Watch
from detectviz.contracts.table_frames import table_frames
from detectviz.contracts.types import JsonObject, JsonValue, Labels

_MOST_POINTS: Final = 11_000
_MOST_NAMES: Final = 20_000
_DEFAULT_STEP_S: Final = 15.0
_HOUR_MS: Final = 3_600_000
_Points = tuple[Labels, Sequence[int], Sequence[JsonValue]]


class DetectvizDatasource:
    """Asks the series the host lends it."""

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return the series, or the numbers at the end of the range, of one expression."""
        model, expr = query.model, get_text(query.model, "expr")
        watch = Watch(context)
        watch.check()
        asked = _instant if get_text(model, "type") == "instant" else _range
        found = asked(query, context, expr, watch.left_s)
        watch.check()
        if any(field.type is FieldType.STRING for frame in found for field in frame.fields):
            return found  # a text has no series to be made of it
        notices = found[0].notices if found else ()
        if get_text(model, "format") == "table":
            return _table(found, expr, query, context, notices)
        return _series(found, expr, context, get_text(model, "legend_format"))

    def check_health(self, context: DatasourceContext) -> Health:
        """Count the metrics of the last hour."""
        try:
            count = len(_values(METRIC, ResourceRequest(path="metrics"), context))
        except PluginError as error:
            return Health(status="error", message=error.message)
        message = f"The organisation has {count} metrics in the last hour."
        return Health(status="ok", message=message, details={"metrics": count})

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return ``metrics``, ``labels`` or ``labels/<name>/values``.

        The parameter ``match`` is a series selector, ``start`` and ``end`` Unix milliseconds; the
        last hour without them.
        """
        match request.path.split("/"):
            case ["metrics"]:
                return {"metrics": [{"name": name} for name in _values(METRIC, request, context)]}
            case ["labels"]:
                start_ms, end_ms = _span(request, context)
                names = _store(context).label_names(
                    _matchers(request), start_ms=start_ms, end_ms=end_ms
                )
                return {"labels": names[:_MOST_NAMES]}
            case ["labels", name, "values"] if name:
                return {"values": _values(name, request, context)}
        raise QueryError(
            "There is no such resource; use metrics, labels or labels/<name>/values.", status=404
        )


def _store(context: DatasourceContext) -> SeriesQuerier:
    if context.series is None:
        raise PluginError("The host lends this plugin no series; allow it to read them.")
    return context.series


def _instant(
    query: DataQuery, context: DatasourceContext, expr: str, timeout_s: float
) -> list[Frame]:
    return [_store(context).instant(expr, time_ms=query.range.end_ms, timeout_s=timeout_s)]


def _range(
    query: DataQuery, context: DatasourceContext, expr: str, timeout_s: float
) -> list[Frame]:
    step_ms = _step_ms(query, context)
    return list(
        _store(context).range(
            expr,
            start_ms=query.range.start_ms // step_ms * step_ms,
            end_ms=query.range.end_ms // step_ms * step_ms,
            step_ms=step_ms,
            timeout_s=timeout_s,
        )
    )


def _step_ms(query: DataQuery, context: DatasourceContext) -> int:
    span_ms = query.range.end_ms - query.range.start_ms
    shortest_s = get_duration_s(query.model, "step")
    if shortest_s is None:
        config = context.settings.json_data
        shortest_s = get_duration_s(config, "time_interval") or _DEFAULT_STEP_S
    fewest_ms = ceil(span_ms / (_MOST_POINTS - 1))
    return max(query.interval_ms, round(shortest_s * 1000), fewest_ms, 1)


def _series(
    found: Sequence[Frame], expr: str, context: DatasourceContext, legend: str
) -> list[Frame]:
    frames = PointFrames(context, expr)
    notices: list[Notice] = []
    for frame in found:
        notices += [notice for notice in frame.notices if notice not in notices]
        times = _times(frame)
        for number in _numbers(frame):
            name = legend_of(legend, _labels(number)) or number.name
            if times is None:
                frames.add_number(number.labels, number.values[0], name=name)
            else:
                frames.add_series(number.labels, times, number.values, name=name)
    return frames.frames(notices)


def _table(
    found: Sequence[Frame],
    expr: str,
    query: DataQuery,
    context: DatasourceContext,
    notices: Sequence[Notice],
) -> list[Frame]:
    series = [
        (_labels(number), _times(frame) or [query.range.end_ms], number.values)
        for frame in found
        for number in _numbers(frame)
    ]
    names = sorted({name for labels, _, _ in series for name in labels})
    columns = [
        Column(name="Time", type=FieldType.TIME),
        *(Column(name=name, type=FieldType.STRING) for name in names),
        Column(name=VALUE, type=FieldType.NUMBER),
    ]
    return table_frames(
        columns,
        _rows(series, names),
        query=query,
        context=context,
        executed_query=expr,
        notices=notices,
    )


def _rows(series: Sequence[_Points], names: Sequence[str]) -> Iterator[Sequence[object]]:
    for labels, times, values in series:
        cells = [labels.get(name) for name in names]
        for time_ms, value in zip(times, values, strict=True):
            yield [moment(time_ms), *cells, value]


def _times(frame: Frame) -> list[int] | None:
    for field in frame.fields:
        if field.type is FieldType.TIME:
            return cast("list[int]", _plain(field.values))
    return None


def _numbers(frame: Frame) -> Iterator[Field]:
    for field in frame.fields:
        if field.type is FieldType.NUMBER:
            yield Field(
                name=field.name,
                type=field.type,
                values=_plain(field.values),
                labels=field.labels,
            )


def _plain(values: Sequence[JsonValue]) -> list[JsonValue]:
    # The store answers with arrays; their elements are no plain numbers.
    made = values.tolist() if hasattr(values, "tolist") else list(values)
    return cast("list[JsonValue]", made)


def _labels(number: Field) -> dict[str, str]:
    name = {} if number.name == VALUE else {METRIC: number.name}
    return {**name, **number.labels}


def _span(request: ResourceRequest, context: DatasourceContext) -> tuple[int, int]:
    given = {name: request.parameters.get(name, "") for name in ("start", "end")}
    for name, text in given.items():
        if text and not text.isdecimal():
            raise QueryError(f"Write {name} in Unix milliseconds.")
    end_ms = int(given["end"] or context.now().timestamp() * 1000)
    return int(given["start"] or end_ms - _HOUR_MS), end_ms


def _matchers(request: ResourceRequest) -> list[str]:
    match = request.parameters.get("match", "")
    return [match] if match else []


def _values(name: str, request: ResourceRequest, context: DatasourceContext) -> list[str]:
    start_ms, end_ms = _span(request, context)
    found = _store(context).label_values(name, _matchers(request), start_ms=start_ms, end_ms=end_ms)
    return found[:_MOST_NAMES]
