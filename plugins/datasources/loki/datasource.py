"""LogQL over Loki's HTTP API."""

from collections.abc import Sequence
from math import ceil
from typing import Final
from urllib.parse import quote

from detectviz.contracts.config import get_duration_s, get_int, get_text
from detectviz.contracts.datasource import (
    DataQuery,
    DatasourceContext,
    Health,
    ProxyRoute,
    ResourceRequest,
)
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.http_source import HttpSource, auth_headers, require_texts
from detectviz.contracts.types import JsonObject
from plugins.datasources.loki.answers import NAME, read_data, read_reason, result_frames

_API: Final = "loki/api/v1"
_NANOSECONDS: Final = 1_000_000
_MOST_POINTS: Final = 11_000
_MOST_NAMES: Final = 20_000
_READING: Final = "query|query_range|labels|label/[^/]+/values|series|index/stats|index/volume"


class LokiDatasource:
    """Asks the HTTP API below ``/loki/api/v1``."""

    proxy_routes = (ProxyRoute(method="GET", path=f"{_API}/({_READING})"),)

    def proxy_headers(self, context: DatasourceContext) -> Sequence[tuple[str, str]]:
        """Return the headers that authenticate, and the tenant."""
        return auth_headers(context)

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return the lines or the numbers of one expression."""
        model, expr = query.model, get_text(query.model, "expr")
        limit = _limit(query, context)
        parameters = {"query": expr, "limit": str(limit)}
        parameters["direction"] = get_text(model, "direction", "backward")
        span = query.range
        if get_text(model, "type") == "instant":
            path = "query"
            parameters["time"] = str(span.end_ms * _NANOSECONDS)
        else:
            path = "query_range"
            parameters["start"] = str(span.start_ms * _NANOSECONDS)
            # The end itself is no part of a range of Loki.
            parameters["end"] = str((span.end_ms + 1) * _NANOSECONDS)
            parameters["step"] = f"{_step_ms(query) / 1000:.3f}s"
        document = _source(context).get(f"{_API}/{path}", parameters)
        legend = get_text(model, "legend_format")
        return result_frames(
            document, expr=expr, query=query, context=context, legend=legend, limit=limit
        )

    def check_health(self, context: DatasourceContext) -> Health:
        """Count the labels of the last hours."""
        try:
            count = len(_texts(context, "labels", {}))
        except PluginError as error:
            return Health(status="error", message=error.message)
        message = f"{NAME} answers; there are {count} labels."
        if not count:
            message = f"{NAME} answers, but has no labels lately. Is this the right tenant?"
        return Health(status="ok", message=message, details={"labels": count})

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return ``labels`` or ``labels/<name>/values``.

        The parameters ``start`` and ``end`` are Unix milliseconds, ``match`` is a selector.
        """
        parameters = _selection(request)
        match request.path.split("/"):
            case ["labels"]:
                return {"labels": _texts(context, "labels", parameters)}
            case ["labels", name, "values"] if name:
                path = f"label/{quote(name, safe='')}/values"
                return {"values": _texts(context, path, parameters)}
        raise QueryError(
            "There is no such resource; use labels or labels/<name>/values.", status=404
        )


def _source(context: DatasourceContext) -> HttpSource:
    return HttpSource(context, name=NAME, reason=read_reason)


def _limit(query: DataQuery, context: DatasourceContext) -> int:
    usual = get_int(context.settings.json_data, "max_lines", 1000)
    # One more than may be told: then it is known that there are more.
    return min(get_int(query.model, "max_lines", usual), context.max_rows + 1)


def _step_ms(query: DataQuery) -> int:
    wanted_s = get_duration_s(query.model, "step")
    step_ms = query.interval_ms if wanted_s is None else round(wanted_s * 1000)
    fewest_ms = ceil((query.range.end_ms - query.range.start_ms) / (_MOST_POINTS - 1))
    return max(step_ms, fewest_ms, 1)


def _selection(request: ResourceRequest) -> dict[str, str]:
    chosen = {"query": request.parameters["match"]} if request.parameters.get("match") else {}
    for name in ("start", "end"):
        text = request.parameters.get(name, "")
        if text and not text.isdecimal():
            raise QueryError(f"Write {name} in Unix milliseconds.")
        if text:
            chosen[name] = str(int(text) * _NANOSECONDS)
    return chosen


def _texts(context: DatasourceContext, path: str, parameters: dict[str, str]) -> list[str]:
    data = read_data(_source(context).get(f"{_API}/{path}", parameters))
    return require_texts(data if data is not None else [], NAME)[:_MOST_NAMES]
