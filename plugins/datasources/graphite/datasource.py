"""Series over Graphite's render API."""

from collections.abc import Sequence
from typing import Final

from detectviz.contracts.config import get_text
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
    require_list,
    require_object,
)
from detectviz.contracts.point_frames import PointFrames, text_labels
from detectviz.contracts.types import JsonObject, JsonValue

NAME: Final = "Graphite"
_MOST_NAMES: Final = 10_000
_PAIR: Final = 2


class GraphiteDatasource:
    """Asks ``/render`` for JSON."""

    proxy_routes = (
        ProxyRoute(method="GET", path="render|metrics/find|metrics/expand|functions"),
        ProxyRoute(method="GET", path="tags|tags/[^/]+|tags/autoComplete/(tags|values)"),
    )

    def proxy_headers(self, context: DatasourceContext) -> Sequence[tuple[str, str]]:
        """Return the headers that authenticate."""
        return auth_headers(context)

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return a frame for each series of the target."""
        target = get_text(query.model, "target")
        parameters = {
            "target": target,
            # The beginning itself is no part of a range of Graphite.
            "from": str(query.range.start_ms // 1000 - 1),
            "until": str(query.range.end_ms // 1000),
            "format": "json",
            "maxDataPoints": str(max(query.max_points, 1)),
        }
        found = require_list(_source(context).post_form("render", parameters), NAME)
        frames = PointFrames(context, target)
        for each in found:
            _add(frames, require_object(each, NAME), query)
        return frames.frames()

    def check_health(self, context: DatasourceContext) -> Health:
        """Ask for the first level of paths."""
        try:
            count = len(_find(context, "*"))
        except PluginError as error:
            return Health(status="error", message=error.message)
        message = f"{NAME} answers; there are {count} roots of paths."
        return Health(status="ok", message=message, details={"roots": count})

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return the ``metrics`` that the parameter ``query`` (``servers.*``) finds."""
        if request.path != "metrics":
            raise QueryError("There is no such resource; use metrics.", status=404)
        nodes: list[JsonValue] = [
            {
                "path": str(each.get("id", "")),
                "name": str(each.get("text", "")),
                "is_leaf": bool(each.get("leaf")),
            }
            for each in _find(context, request.parameters.get("query", "*"))
        ]
        return {"metrics": nodes[:_MOST_NAMES]}


def _source(context: DatasourceContext) -> HttpSource:
    return HttpSource(context, name=NAME, reason=_reason)


def _reason(document: JsonValue) -> str:
    said = text_labels(document)
    return said.get("error") or said.get("message", "")


def _find(context: DatasourceContext, query: str) -> list[JsonObject]:
    found = _source(context).get("metrics/find", {"query": query, "format": "treejson"})
    return [require_object(each, NAME) for each in require_list(found, NAME)]


def _add(frames: PointFrames, series: JsonObject, query: DataQuery) -> None:
    times: list[int] = []
    values: list[JsonValue] = []
    for pair in require_list(series.get("datapoints"), NAME):
        if (
            not isinstance(pair, list)
            or len(pair) != _PAIR
            or not isinstance(pair[1], (int, float))
        ):
            raise PluginError(f"What answered is not {NAME}: a point has another shape.")
        value = pair[0]
        if value is not None and not isinstance(value, (int, float)):
            raise PluginError(f"What answered is not {NAME}: it calls a number what is none.")
        time_ms = int(pair[1] * 1000)
        if time_ms <= query.range.end_ms:
            times.append(time_ms)
            values.append(value)
    name = str(series.get("target", ""))
    labels = text_labels(series.get("tags"))
    labels.pop("name", None)
    frames.add_series(labels, times, values, name=name)
