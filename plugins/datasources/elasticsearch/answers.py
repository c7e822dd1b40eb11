"""Reading what ``_search`` answers: hits, buckets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from detectviz.contracts.config import get_bool, get_objects, get_text
from detectviz.contracts.datasource import DataQuery, DatasourceContext
from detectviz.contracts.errors import PluginError
from detectviz.contracts.frames import FieldType, Frame, Notice
from detectviz.contracts.http_source import require_list, require_object
from detectviz.contracts.point_frames import PointFrames, moment, text_labels
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.table_frames import table_frames
from detectviz.contracts.types import JsonObject, JsonValue
from plugins.datasources.elasticsearch.search import GROUP, OVER_TIME, metrics_of

NAME: Final = "Elasticsearch"
_DEEPEST: Final = 8
_SMALLEST_MS: Final = 1e11
_Group = tuple[dict[str, str], JsonObject]


def read_reason(document: JsonValue) -> str:
    """Return the first cause of a failure."""
    error = document.get("error") if isinstance(document, Mapping) else None
    if not isinstance(error, Mapping):
        return str(error or "")
    causes = error.get("root_cause")
    first = causes[0] if isinstance(causes, list) and causes else error
    said = text_labels(first)
    return said.get("reason") or text_labels(error).get("reason", "")


def result_frames(document: JsonValue, query: DataQuery, context: DatasourceContext) -> list[Frame]:
    """Return the frames of one search."""
    answer = require_object(document, NAME)
    require_object(answer.get("hits"), NAME)
    kind = get_text(query.model, "type", "metrics")
    if kind == "metrics":
        return _metric_frames(answer, query, context)
    return _hit_frames(answer, query, context, is_logs=kind == "logs")


# --- aggregations -------------------------------------------------------------------------------
def _metric_frames(answer: JsonObject, query: DataQuery, context: DatasourceContext) -> list[Frame]:
    frames = PointFrames(context, get_text(query.model, "query"))
    fields = [get_text(group, "field") for group in get_objects(query.model, "group_by")]
    hits = require_object(answer.get("hits"), NAME)
    total = require_object(hits.get("total", {"value": None}), NAME)
    whole: dict[str, JsonValue] = {"doc_count": total.get("value")}
    aggregations = answer.get("aggregations")
    whole |= aggregations if isinstance(aggregations, Mapping) else {}
    is_timed = get_bool(query.model, "time_series", default=True)
    for labels, group in _groups(whole, fields, {}):
        if is_timed:
            _add_series(frames, labels, group, query)
        else:
            for name, value in _values(group, query):
                frames.add_number(labels, value, name=name)
    return frames.frames(_notices(answer))


def _groups(bucket: JsonObject, fields: Sequence[str], labels: dict[str, str]) -> Iterator[_Group]:
    if not fields:
        yield labels, bucket
        return
    for inner in _buckets(bucket, GROUP):
        key = inner.get("key_as_string", inner.get("key"))
        yield from _groups(inner, fields[1:], {**labels, fields[0]: str(key)})


def _buckets(bucket: JsonObject, name: str) -> list[JsonObject]:
    found = require_object(bucket.get(name), NAME).get("buckets")
    return [require_object(each, NAME) for each in require_list(found, NAME)]


def _add_series(
    frames: PointFrames, labels: dict[str, str], group: JsonObject, query: DataQuery
) -> None:
    times: list[int] = []
    columns: dict[str, list[JsonValue]] = {}
    for bucket in _buckets(group, OVER_TIME):
        key = bucket.get("key")
        if not isinstance(key, (int, float)):
            raise PluginError(f"What answered is not {NAME}: a bucket has no time.")
        times.append(int(key))
        for name, value in _values(bucket, query):
            columns.setdefault(name, []).append(value)
    for name, values in columns.items():
        frames.add_series(labels, times, values, name=name)


def _values(bucket: JsonObject, query: DataQuery) -> Iterator[tuple[str, JsonValue]]:
    """Yield name and value of each metric of one bucket."""
    for place, metric in enumerate(metrics_of(query)):
        kind, field = get_text(metric, "type"), get_text(metric, "field")
        if kind == "count":
            yield "count", _number(bucket.get("doc_count"))
            continue
        found = require_object(bucket.get(str(place)), NAME)
        if kind == "percentiles":
            values = require_object(found.get("values"), NAME)
            for percent, value in values.items():
                yield f"p{float(percent):g} {field}", _number(value)
        else:
            yield f"{kind} {field}", _number(found.get("value"))


def _number(value: JsonValue) -> JsonValue:
    if value == "NaN":
        return None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


# --- documents ----------------------------------------------------------------------------------
def _hit_frames(
    answer: JsonObject, query: DataQuery, context: DatasourceContext, *, is_logs: bool
) -> list[Frame]:
    listed = require_object(answer.get("hits"), NAME).get("hits")
    hits = [require_object(each, NAME) for each in require_list(listed, NAME)]
    documents = [(hit, dict(_flat(hit.get("_source"), "", 0))) for hit in hits]
    config = context.settings.json_data
    time_field = get_text(config, "time_field", "@timestamp")
    if is_logs:
        columns, rows = _LOG_COLUMNS, _log_rows(documents[::-1], config, time_field)
    else:
        names = sorted({name for _, values in documents for name in values} - {time_field})
        columns = [Column(name=time_field, type=FieldType.TIME), Column(name="_id")]
        columns += [Column(name="_index"), *(Column(name=name) for name in names)]
        rows = _raw_rows(documents, time_field, names)
    (frame,) = table_frames(
        columns,
        rows,
        query=query,
        context=context,
        executed_query=get_text(query.model, "query"),
        notices=_notices(answer),
    )
    return [replace(frame, shape="logs")] if is_logs else [frame]


def _log_rows(
    documents: Sequence[tuple[JsonObject, dict[str, JsonValue]]],
    config: JsonObject,
    time_field: str,
) -> Iterator[Sequence[object]]:
    message = get_text(config, "message_field", "message")
    level = get_text(config, "level_field")
    for hit, values in documents:
        labels = {
            name: str(value) for name, value in values.items() if name not in {message, time_field}
        }
        body = values.get(message)
        line = str(hit.get("_source")) if body is None else str(body)
        severity = str(values.get(level) or "") if level else ""
        yield [_time(values.get(time_field)), line, severity, labels, str(hit.get("_id"))]


def _raw_rows(
    documents: Sequence[tuple[JsonObject, dict[str, JsonValue]]],
    time_field: str,
    names: Sequence[str],
) -> Iterator[Sequence[object]]:
    for hit, values in documents:
        head = [_time(values.get(time_field)), str(hit.get("_id")), str(hit.get("_index"))]
        yield [*head, *(values.get(name) for name in names)]


def _flat(value: JsonValue, path: str, depth: int) -> Iterator[tuple[str, JsonValue]]:
    """Yield the leaves of a document by their dotted names."""
    if not isinstance(value, Mapping) or depth > _DEEPEST:
        yield path or "_source", value
        return
    for name, inner in value.items():
        yield from _flat(inner, f"{path}.{name}" if path else str(name), depth + 1)


def _time(value: JsonValue) -> datetime | None:
    if isinstance(value, (int, float)):
        return moment(value if abs(value) > _SMALLEST_MS else value * 1000)
    text = str(value)
    head, dot, tail = text.partition(".")
    digits = len(tail) - len(tail.lstrip("0123456789"))
    if dot:  # nine digits of a second are more than Python reads
        text = f"{head}.{tail[: min(digits, 6)]:0<6}{tail[digits:]}"
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _notices(answer: JsonObject) -> list[Notice]:
    texts = []
    if answer.get("timed_out") is True:
        texts.append("The search took too long; this is what was found until then.")
    shards = answer.get("_shards")
    failed = shards.get("failed") if isinstance(shards, Mapping) else 0
    if failed:
        texts.append(f"{failed} shards failed; what they hold is missing.")
    return [Notice(severity="warning", text=text) for text in texts]


_LOG_COLUMNS: Final = [
    Column(name="time", type=FieldType.TIME),
    Column(name="body", type=FieldType.STRING),
    Column(name="severity", type=FieldType.STRING),
    Column(name="labels", type=FieldType.OTHER),
    Column(name="id", type=FieldType.STRING),
]
