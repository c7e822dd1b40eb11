"""PromQL over the HTTP API of Prometheus and those that speak it."""

from collections.abc import Sequence
from math import ceil
from typing import Final
from urllib.parse import quote

from detectviz.contracts.config import get_bool, get_duration_s, get_text
from detectviz.contracts.datasource import (
    DataQuery,
    DatasourceContext,
    Health,
    ProxyRoute,
    ResourceRequest,
)
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.http_source import (
    HttpSource,
    auth_headers,
    require_object,
    require_texts,
)
from detectviz.contracts.point_frames import METRIC, text_labels
from detectviz.contracts.types import JsonObject, JsonValue
from plugins.datasources.prometheus.answers import (
    NAME,
    exemplar_frames,
    label_table,
    metric_list,
    read_data,
    read_reason,
    result_frames,
)

_MOST_POINTS: Final = 11_000
_MOST_NAMES: Final = 20_000
_DEFAULT_STEP_S: Final = 15.0
_TITLES: Final = {
    "prometheus": "Prometheus",
    "victoriametrics": "VictoriaMetrics",
    "mimir": "Mimir",
    "thanos": "Thanos",
}
_READING: Final = "query|query_range|query_exemplars|series|labels|format_query|parse_query"


class PrometheusDatasource:
    """Asks the HTTP API below ``/api/v1``."""

    proxy_routes = (
        ProxyRoute(method="GET", path=f"api/v1/({_READING})"),
        ProxyRoute(method="POST", path=f"api/v1/({_READING})"),
        ProxyRoute(method="GET", path=r"api/v1/label/[^/]+/values"),
        ProxyRoute(method="GET", path="api/v1/(metadata|rules|alerts|targets|status/buildinfo)"),
    )

    def proxy_headers(self, context: DatasourceContext) -> Sequence[tuple[str, str]]:
        """Return the headers that authenticate, and the tenant."""
        return auth_headers(context)

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return the series, the numbers or the exemplars of one expression."""
        model, expr = query.model, get_text(query.model, "expr")
        kind = get_text(model, "type", "range")
        document = _ask(context, kind, {"query": expr, **_times(query, context, kind)})
        if kind == "exemplars":
            return exemplar_frames(document, expr=expr, query=query, context=context)
        if get_text(model, "format") == "table":
            return label_table(document, expr=expr, query=query, context=context)
        legend = get_text(model, "legend_format")
        return result_frames(document, expr=expr, query=query, context=context, legend=legend)

    def check_health(self, context: DatasourceContext) -> Health:
        """Evaluate ``1+1`` as a query would, and ask for the version."""
        try:
            read_data(_ask(context, "instant", {"query": "1+1"}))
        except PluginError as error:
            return Health(status="error", message=error.message)
        title = _TITLES[get_text(context.settings.json_data, "flavour", "prometheus")]
        version = _version(context)
        return Health(
            status="ok",
            message=f"{title} {version} answers queries.".replace("  ", " "),
            details={"flavour": title, "version": version},
        )

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return ``metrics``, ``labels`` or ``labels/<name>/values``.

        The parameter ``match`` is a series selector, ``start`` and ``end`` Unix milliseconds.
        """
        parameters = _selection(request)
        match request.path.split("/"):
            case ["metrics"]:
                names = _names(context, f"label/{METRIC}/values", parameters)
                return {"metrics": metric_list(names, _metadata(context))}
            case ["labels"]:
                return {"labels": _names(context, "labels", parameters)}
            case ["labels", name, "values"] if name:
                path = f"label/{quote(name, safe='')}/values"
                return {"values": _names(context, path, parameters)}
        raise QueryError(
            "There is no such resource; use metrics, labels or labels/<name>/values.", status=404
        )


def _source(context: DatasourceContext) -> HttpSource:
    return HttpSource(context, name=NAME, reason=read_reason)


def _ask(context: DatasourceContext, kind: str, parameters: dict[str, str]) -> JsonValue:
    path = {"range": "query_range", "instant": "query", "exemplars": "query_exemplars"}[kind]
    source, config = _source(context), context.settings.json_data
    if kind != "exemplars":
        parameters["timeout"] = f"{max(1, ceil(source.watch.left_s))}s"
    if get_text(config, "flavour") == "thanos":
        is_partial = get_bool(config, "partial_response", default=True)
        parameters |= {"dedup": "true", "partial_response": str(is_partial).lower()}
    if get_text(config, "http_method", "POST") == "GET":
        return source.get(f"api/v1/{path}", parameters)
    return source.post_form(f"api/v1/{path}", parameters)


def _times(query: DataQuery, context: DatasourceContext, kind: str) -> dict[str, str]:
    start_ms, end_ms = query.range.start_ms, query.range.end_ms
    if kind == "instant":
        return {"time": _seconds(end_ms)}
    if kind == "exemplars":
        return {"start": _seconds(start_ms), "end": _seconds(end_ms)}
    step_ms = _step_ms(query, context)
    # The same points whenever it is asked: what lies in front of the server can keep them.
    start_ms, end_ms = start_ms // step_ms * step_ms, end_ms // step_ms * step_ms
    return {"start": _seconds(start_ms), "end": _seconds(end_ms), "step": _seconds(step_ms)}


def _step_ms(query: DataQuery, context: DatasourceContext) -> int:
    span_ms = query.range.end_ms - query.range.start_ms
    config = context.settings.json_data
    shortest_s = get_duration_s(query.model, "step")
    if shortest_s is None:
        shortest_s = get_duration_s(config, "time_interval") or _DEFAULT_STEP_S
    fewest_ms = ceil(span_ms / (_MOST_POINTS - 1))
    return max(query.interval_ms, round(shortest_s * 1000), fewest_ms, 1)


def _seconds(time_ms: int) -> str:
    return f"{time_ms / 1000:.3f}"


def _selection(request: ResourceRequest) -> dict[str, str]:
    given = request.parameters
    chosen = {"match[]": given["match"]} if given.get("match") else {}
    for name in ("start", "end"):
        text = given.get(name, "")
        if text:
            if not text.isdecimal():
                raise QueryError(f"Write {name} in Unix milliseconds.")
            chosen[name] = _seconds(int(text))
    return chosen


def _names(context: DatasourceContext, path: str, parameters: dict[str, str]) -> list[str]:
    data = read_data(_source(context).get(f"api/v1/{path}", parameters))
    return require_texts(data, NAME)[:_MOST_NAMES]


def _metadata(context: DatasourceContext) -> JsonObject:
    """Return what is known of metrics; nothing where the server keeps nothing."""
    try:
        document = _source(context).get("api/v1/metadata")
        return require_object(read_data(document), NAME)
    except PluginError:
        return {}


def _version(context: DatasourceContext) -> str:
    try:
        about = read_data(_source(context).get("api/v1/status/buildinfo"))
    except PluginError:
        return ""
    return text_labels(about).get("version", "")
