"""One text to one datasource: what a person types on the command line."""

from collections.abc import Mapping
from typing import Any

import orjson
from django.db import models

from apps.datasources.selectors import datasource_resolve
from apps.datasources.services.queries import queries_run
from apps.extensions.selectors import plugin_manifest
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.queries.document import read_request
from detectviz.queries.errors import DocumentError
from detectviz.queries.model import Results
from detectviz.queries.variables.interpolation import KEYWORD
from detectviz.resources.errors import InvalidFieldsError


def text_ask(
    *, org: models.Model, datasource: str, text: str, start: object, end: object, now_ms: int
) -> Results:
    """Ask as the operator of this machine; a text that is a JSON object is the query's model.

    Raise NotFoundError, PluginHostError, or InvalidFieldsError.
    """
    resolved = datasource_resolve(org=org, ref=datasource)
    schema = plugin_manifest(PluginKind.DATASOURCE, resolved.plugin).query_schema
    document = {
        "from": start,
        "to": end,
        "queries": [{**_model(text, schema), "ref_id": "A", "datasource": resolved.uid}],
    }
    try:
        request = read_request(document, now_ms=now_ms)
    except DocumentError as error:
        raise InvalidFieldsError({error.field: [error.message]}) from error
    return queries_run(org=org, access=None, request=request)


def _model(text: str, schema: JsonObject) -> dict[str, Any]:
    if text.lstrip().startswith("{"):
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            found = None  # PromQL and LogQL begin so too
        if isinstance(found, dict):
            return found
    name = _text_property(schema)
    if name is None:
        raise InvalidFieldsError(
            {"query": ["This datasource's queries are no single text; write a JSON object."]}
        )
    return {name: text}


def _text_property(schema: JsonObject) -> str | None:
    """Return the property that holds the query's text: the first in a language."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return None
    found: list[tuple[int, str]] = []
    for name, each in properties.items():
        if isinstance(each, Mapping) and each.get(KEYWORD, "plain") != "plain":
            order = each.get("x-order")
            found.append((order if isinstance(order, int) else 0, name))
    return min(found)[1] if found else None
