"""What is searched for: the body of ``_search`` made from a query."""

from typing import Final

from detectviz.contracts.config import get_bool, get_int, get_list, get_objects, get_text
from detectviz.contracts.datasource import DataQuery, DatasourceContext
from detectviz.contracts.errors import QueryError
from detectviz.contracts.types import JsonObject, JsonValue

OVER_TIME: Final = "over_time"
GROUP: Final = "group"


def search_body(query: DataQuery, context: DatasourceContext, timeout_s: float) -> JsonObject:
    """Return the body; raise QueryError for a metric that lacks its field."""
    body: dict[str, JsonValue] = {
        "query": {"bool": {"filter": _filters(query, context)}},
        "timeout": f"{max(1, round(timeout_s))}s",
    }
    if get_text(query.model, "type", "metrics") == "metrics":
        return {**body, "size": 0, "track_total_hits": True, "aggs": _aggregations(query, context)}
    time_field = _time_field(context)
    size = min(get_int(query.model, "size", 500), context.max_rows + 1)
    order: JsonValue = [{time_field: {"order": "desc", "unmapped_type": "boolean"}}]
    return {**body, "size": size, "sort": order}


def metrics_of(query: DataQuery) -> list[JsonObject]:
    """Return the metrics, a count where there are none."""
    return list(get_objects(query.model, "metrics")) or [{"type": "count"}]


def _filters(query: DataQuery, context: DatasourceContext) -> list[JsonValue]:
    between: JsonValue = {
        _time_field(context): {
            "gte": query.range.start_ms,
            "lte": query.range.end_ms,
            "format": "epoch_millis",
        }
    }
    text = get_text(query.model, "query").strip()
    words: JsonValue = {"query_string": {"query": text, "analyze_wildcard": True}}
    return [{"range": between}, words] if text else [{"range": between}]


def _aggregations(query: DataQuery, context: DatasourceContext) -> JsonObject:
    inner: JsonObject = {
        str(place): _metric(metric)
        for place, metric in enumerate(metrics_of(query))
        if metric.get("type") != "count"
    }
    if get_bool(query.model, "time_series", default=True):
        over_time: JsonValue = {
            "field": _time_field(context),
            "fixed_interval": f"{max(query.interval_ms, 1)}ms",
            "min_doc_count": 0,
            "extended_bounds": {"min": query.range.start_ms, "max": query.range.end_ms},
        }
        inner = {OVER_TIME: {"date_histogram": over_time, "aggs": inner}}
    for group in reversed(get_objects(query.model, "group_by")):
        terms: JsonValue = {"field": get_text(group, "field"), "size": get_int(group, "size", 10)}
        inner = {GROUP: {"terms": terms, "aggs": inner}}
    return inner


def _metric(metric: JsonObject) -> JsonObject:
    kind, field = get_text(metric, "type"), get_text(metric, "field")
    if not field:
        raise QueryError(f"Write the field of {kind}.")
    if kind == "percentiles":
        percents = list(get_list(metric, "percents")) or [50, 95, 99]
        return {kind: {"field": field, "percents": percents}}
    return {kind: {"field": field}}


def _time_field(context: DatasourceContext) -> str:
    return get_text(context.settings.json_data, "time_field", "@timestamp")
