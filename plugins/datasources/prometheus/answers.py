"""Reading what the HTTP API answers: matrices, vectors, scalars, exemplars."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from detectviz.contracts.datasource import DataQuery, DatasourceContext
from detectviz.contracts.errors import PluginError
from detectviz.contracts.frames import Field, FieldType, Frame, Notice
from detectviz.contracts.http_source import require_list, require_object
from detectviz.contracts.point_frames import (
    VALUE,
    PointFrames,
    legend_of,
    moment,
    text_labels,
)
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.table_frames import table_frames
from detectviz.contracts.types import JsonObject, JsonValue

NAME: Final = "Prometheus"
_HISTOGRAMS: Final = (
    "{} series of native histograms are left out; ask histogram_quantile() or histogram_avg()."
)
_PAIR: Final = 2
_Points = tuple[dict[str, str], list[int], list[JsonValue]]


def read_reason(document: JsonValue) -> str:
    """Return what the server says of a failure; empty where it is not its own answer."""
    if not isinstance(document, Mapping) or not document.get("error"):
        return ""
    kind = document.get("errorType")
    return f"{kind}: {document['error']}" if kind else str(document["error"])


def read_data(document: JsonValue) -> JsonValue:
    """Return the data of a success; raise PluginError for what is none."""
    envelope = require_object(document, NAME)
    if envelope.get("status") != "success":
        raise PluginError(f"What answered is not {NAME}: {read_reason(document) or 'no success'}.")
    return envelope.get("data")


def read_notices(document: JsonValue) -> list[Notice]:
    """Return the warnings and infos of an answer."""
    envelope = require_object(document, NAME)
    notices: list[Notice] = []
    for texts, is_warning in ((envelope.get("warnings"), True), (envelope.get("infos"), False)):
        if isinstance(texts, list):
            notices += [
                Notice(severity="warning" if is_warning else "info", text=str(text))
                for text in texts
            ]
    return notices


def result_frames(
    document: JsonValue, *, expr: str, query: DataQuery, context: DatasourceContext, legend: str
) -> list[Frame]:
    """Return the frames of a query's answer: series, or numbers of an instant."""
    kind, result = _result(document)
    if kind == "string":
        return [_text_frame(result, expr)]
    series, skipped = _series(kind, result)
    notices = read_notices(document)
    if skipped:
        notices.append(Notice(severity="warning", text=_HISTOGRAMS.format(skipped)))
    frames = PointFrames(context, expr)
    for labels, times, values in series:
        name = legend_of(legend, labels)
        if kind == "matrix":
            frames.add_series(labels, times, values, name=name)
        else:
            frames.add_number(labels, values[0], name=name)
    return frames.frames(notices)


def label_table(
    document: JsonValue, *, expr: str, query: DataQuery, context: DatasourceContext
) -> list[Frame]:
    """Return an answer as one table: time, a column for each label, value."""
    kind, result = _result(document)
    if kind == "string":
        return [_text_frame(result, expr)]
    series, _ = _series(kind, result)
    names = sorted({name for labels, _, _ in series for name in labels})

    def rows() -> Iterator[Sequence[object]]:
        for labels, times, values in series:
            cells = [labels.get(name) for name in names]
            for time_ms, value in zip(times, values, strict=True):
                yield [moment(time_ms), *cells, value]

    return table_frames(
        _columns(names),
        rows(),
        query=query,
        context=context,
        executed_query=expr,
        notices=read_notices(document),
    )


def exemplar_frames(
    document: JsonValue, *, expr: str, query: DataQuery, context: DatasourceContext
) -> list[Frame]:
    """Return exemplars as a table: time, labels of series and exemplar, value."""
    found: list[tuple[float, dict[str, str], float]] = []
    for series in require_list(read_data(document), NAME):
        described = require_object(series, NAME)
        labels = text_labels(described.get("seriesLabels"))
        for each in require_list(described.get("exemplars"), NAME):
            exemplar = require_object(each, NAME)
            own = text_labels(exemplar.get("labels"))
            time_s, value = _number(exemplar.get("timestamp")), _number(exemplar.get("value"))
            found.append((time_s, {**labels, **own}, value))
    names = sorted({name for _, labels, _ in found for name in labels})
    rows = (
        [moment(time_s * 1000), *(labels.get(name) for name in names), value]
        for time_s, labels, value in sorted(found, key=lambda each: each[0])
    )
    return table_frames(
        _columns(names),
        rows,
        query=query,
        context=context,
        executed_query=expr,
        notices=read_notices(document),
    )


def _result(document: JsonValue) -> tuple[str, JsonValue]:
    data = require_object(read_data(document), NAME)
    kind = data.get("resultType")
    if kind not in {"matrix", "vector", "scalar", "string"}:
        raise PluginError(f"What answered is not {NAME}: its answer has no type that is known.")
    return str(kind), data.get("result")


def _series(kind: str, result: JsonValue) -> tuple[list[_Points], int]:
    """Return labels, times and values of each series, and how many were histograms alone."""
    if kind == "scalar":
        times, values = _points([result])
        return [({}, times, values)], 0
    series: list[_Points] = []
    skipped = 0
    for each in require_list(result, NAME):
        described = require_object(each, NAME)
        points = described.get("values") if kind == "matrix" else [described.get("value")]
        if points is None or points == [None]:
            skipped += 1
            continue
        times, values = _points(require_list(points, NAME))
        series.append((text_labels(described.get("metric")), times, values))
    return series, skipped


def _points(pairs: Sequence[JsonValue]) -> tuple[list[int], list[JsonValue]]:
    times: list[int] = []
    values: list[JsonValue] = []
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != _PAIR:
            raise PluginError(f"What answered is not {NAME}: a point of it has another shape.")
        times.append(round(_number(pair[0]) * 1000))
        values.append(_number(pair[1]))
    return times, values


def _number(value: JsonValue) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        raise PluginError(f"What answered is not {NAME}: it calls a number what is none.") from None


def _text_frame(result: JsonValue, expr: str) -> Frame:
    pair = require_list(result, NAME)
    text = str(pair[1]) if len(pair) == _PAIR else ""
    field = Field(name=VALUE, type=FieldType.STRING, values=[text])
    return Frame(fields=(field,), executed_query=expr)


def _columns(names: Sequence[str]) -> list[Column]:
    return [
        Column(name="Time", type=FieldType.TIME),
        *(Column(name=name, type=FieldType.STRING) for name in names),
        Column(name=VALUE, type=FieldType.NUMBER),
    ]


def metric_list(names: Sequence[str], metadata: JsonObject) -> list[JsonValue]:
    """Return metrics with type, help and unit where the server knows them."""
    found: list[JsonValue] = []
    for name in names:
        entries = metadata.get(name)
        first = entries[0] if isinstance(entries, list) and entries else {}
        known = text_labels(first)
        about = {key: known.get(key, "") for key in ("type", "help", "unit")}
        found.append({"name": name, **about})
    return found
