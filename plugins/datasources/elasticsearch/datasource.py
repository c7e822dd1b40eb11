"""Searches of Elasticsearch and OpenSearch."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from detectviz.contracts.config import get_text
from detectviz.contracts.datasource import (
    DataQuery,
    DatasourceContext,
    Health,
    ResourceRequest,
)
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.http_source import HttpSource, auth_headers, require_object
from detectviz.contracts.point_frames import text_labels
from detectviz.contracts.types import JsonObject, JsonValue
from plugins.datasources.elasticsearch.answers import NAME, read_reason, result_frames
from plugins.datasources.elasticsearch.search import search_body

_MOST_FIELDS: Final = 10_000


class ElasticsearchDatasource:
    """Sends ``_search`` of the datasource's index and nothing that writes."""

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return series, logs or documents of one search."""
        source = _source(context)
        body = search_body(query, context, source.watch.left_s)
        found = source.post_json(f"{_index(context)}/_search", body)
        return result_frames(found, query, context)

    def check_health(self, context: DatasourceContext) -> Health:
        """Look for the time field in the index, as a query would."""
        field = get_text(context.settings.json_data, "time_field", "@timestamp")
        try:
            known = _fields(context)
        except PluginError as error:
            return Health(status="error", message=error.message)
        if field not in known:
            message = f"The index has no field {field}; choose the time field."
            return Health(status="error", message=message)
        return Health(
            status="ok",
            message=f"The index answers; it has {len(known)} fields.",
            details={"fields": len(known)},
        )

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return the ``fields`` of the index with their types; ``type`` chooses one."""
        if request.path != "fields":
            raise QueryError("There is no such resource; use fields.", status=404)
        kind = request.parameters.get("type", "")
        known = _fields(context)
        fields: list[JsonValue] = [
            {"name": name, "type": types}
            for name, types in sorted(known.items())
            if not kind or kind in types.split(",")
        ]
        return {"fields": fields[:_MOST_FIELDS]}


def _headers(context: DatasourceContext) -> list[tuple[str, str]]:
    headers, key = auth_headers(context), context.settings.secrets.get("api_key", "")
    if key and not headers:
        return [("Authorization", f"ApiKey {key}")]
    return headers


def _source(context: DatasourceContext) -> HttpSource:
    return HttpSource(context, name=NAME, reason=read_reason, headers=_headers(context))


def _index(context: DatasourceContext) -> str:
    return quote(get_text(context.settings.json_data, "index", "*"), safe="*,-_.<>:")


def _fields(context: DatasourceContext) -> dict[str, str]:
    document = _source(context).get(f"{_index(context)}/_field_caps", {"fields": "*"})
    found = require_object(require_object(document, NAME).get("fields"), NAME)
    return {
        name: ",".join(sorted(text_labels(types)))
        for name, types in found.items()
        if not name.startswith("_")
    }
