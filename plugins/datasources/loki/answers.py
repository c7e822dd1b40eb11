"""Reading what Loki answers: streams, matrices, vectors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from detectviz.contracts.datasource import DataQuery, DatasourceContext
from detectviz.contracts.errors import PluginError
from detectviz.contracts.frames import FieldType, Frame, Notice
from detectviz.contracts.http_source import require_list, require_object
from detectviz.contracts.point_frames import PointFrames, legend_of, moment, text_labels
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.table_frames import table_frames
from detectviz.contracts.types import JsonObject, JsonValue

NAME: Final = "Loki"
_NANOSECONDS: Final = 1_000_000
_LEVELS: Final = ("detected_level", "level", "severity")
_COLUMNS: Final = (
    Column(name="time", type=FieldType.TIME),
    Column(name="body", type=FieldType.STRING),
    Column(name="severity", type=FieldType.STRING),
    Column(name="labels", type=FieldType.OTHER),
    Column(name="id", type=FieldType.STRING),
)
_Line = tuple[int, str, dict[str, str]]


def read_reason(document: JsonValue) -> str:
    """Return what Loki says of a failure in JSON (plain text is the usual way)."""
    said = text_labels(document)
    return said.get("error") or said.get("message", "")


def read_data(document: JsonValue) -> JsonValue:
    """Return the data of a success; raise PluginError for what is none."""
    envelope = require_object(document, NAME)
    if envelope.get("status") != "success":
        raise PluginError(f"What answered is not {NAME}: {read_reason(document) or 'no success'}.")
    return envelope.get("data")


def result_frames(
    document: JsonValue,
    *,
    expr: str,
    query: DataQuery,
    context: DatasourceContext,
    legend: str,
    limit: int,
) -> list[Frame]:
    """Return lines as one frame of logs, numbers as series or as numbers of an instant."""
    data = require_object(read_data(document), NAME)
    kind, result = data.get("resultType"), data.get("result")
    notices = _warnings(document)
    if kind == "streams":
        return _logs(require_list(result, NAME), expr, query, context, limit, notices)
    frames = PointFrames(context, expr)
    if kind == "scalar":
        frames.add_number({}, _point(result)[1])
    elif kind in {"matrix", "vector"}:
        for each in require_list(result, NAME):
            _add(frames, require_object(each, NAME), legend, is_series=kind == "matrix")
    else:
        raise PluginError(f"What answered is not {NAME}: its answer has no type that is known.")
    return frames.frames(notices)


def _add(frames: PointFrames, series: JsonObject, legend: str, *, is_series: bool) -> None:
    labels = text_labels(series.get("metric"))
    name = legend_of(legend, labels)
    if is_series:
        points = [_point(pair) for pair in require_list(series.get("values"), NAME)]
        times = [time_ms for time_ms, _ in points]
        frames.add_series(labels, times, [value for _, value in points], name=name)
    else:
        frames.add_number(labels, _point(series.get("value"))[1], name=name)


def _logs(  # noqa: PLR0917 - what one answer is made of
    streams: Sequence[JsonValue],
    expr: str,
    query: DataQuery,
    context: DatasourceContext,
    limit: int,
    notices: list[Notice],
) -> list[Frame]:
    lines = sorted(_lines(streams), key=lambda line: line[0])
    if len(lines) >= limit:
        text = (
            f"There may be more than these {limit} lines; raise their number or narrow the range."
        )
        notices = [*notices, Notice(severity="info", text=text)]
    (frame,) = table_frames(
        _COLUMNS,
        _rows(lines),
        query=query,
        context=context,
        executed_query=expr,
        notices=notices,
    )
    return [replace(frame, shape="logs")]


def _lines(streams: Sequence[JsonValue]) -> Iterator[_Line]:
    for each in streams:
        stream = require_object(each, NAME)
        labels = text_labels(stream.get("stream"))
        for value in require_list(stream.get("values"), NAME):
            entry = require_list(value, NAME)
            if len(entry) < 2 or not str(entry[0]).isdecimal():  # noqa: PLR2004 - time and line
                raise PluginError(f"What answered is not {NAME}: a line has another shape.")
            # A third member is structured metadata: labels of the line alone.
            own = text_labels(entry[2]) if len(entry) > 2 else {}  # noqa: PLR2004 - as above
            yield int(str(entry[0])), str(entry[1]), {**labels, **own}


def _rows(lines: Sequence[_Line]) -> Iterator[Sequence[object]]:
    for time_ns, line, labels in lines:
        severity = next((labels[name] for name in _LEVELS if labels.get(name)), "")
        yield [moment(time_ns / _NANOSECONDS), line, severity, labels, str(time_ns)]


def _point(pair: JsonValue) -> tuple[int, float]:
    try:
        time_s, text = require_list(pair, NAME)
        return round(float(str(time_s)) * 1000), float(str(text))
    except ValueError:
        raise PluginError(f"What answered is not {NAME}: a point has another shape.") from None


def _warnings(document: JsonValue) -> list[Notice]:
    texts = document.get("warnings") if isinstance(document, Mapping) else None
    if not isinstance(texts, list):
        return []
    return [Notice(severity="warning", text=str(text)) for text in texts]
