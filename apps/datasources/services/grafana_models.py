"""Queries as Grafana's editors write them, and as our plugins' schemas spell them. Pure."""

from collections.abc import Mapping
from typing import Any

from detectviz.contracts.types import JsonObject
from detectviz.queries.document import snake_case

# Where Grafana's plugin has another name.
TYPES: Mapping[str, str] = {
    "postgresql": "grafana-postgresql-datasource",
    "testdata": "grafana-testdata-datasource",
    "clickhouse": "grafana-clickhouse-datasource",
}
# What Grafana's query editors call the text of a query, where no rule leads to our name.
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "raw_sql": ("sql", "query"),
    "raw_query_string": ("sql", "query"),
    "scenario_id": ("scenario",),
    "legend_format": ("legend",),
    "expr": ("expr", "query"),
    "query": ("query", "expr"),
    "target": ("target", "query"),
}
_THEIR_NAMES: Mapping[str, str] = {"sql": "rawSql"}


def own_model(model: JsonObject, schema: JsonObject) -> JsonObject:
    """Return a query of Grafana's editors as the plugin's schema spells it.

    What the schema does not know is the editor's own state and left out.
    """
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    found: dict[str, Any] = {}
    for name, value in model.items():
        if name == "sql" and not isinstance(value, str):
            continue  # what the editor's builder made the text of
        for candidate in _candidates(name):
            if candidate in known and candidate not in found:
                found[candidate] = value
                break
    return _with_type(found, model, known)


def lost_names(model: JsonObject, schema: JsonObject) -> list[str]:
    """Return the names of a model that ``own_model`` leaves out."""
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    return [name for name in model if not any(each in known for each in _candidates(name))]


def grafana_model(model: JsonObject) -> dict[str, Any]:
    """Return a query of ours as Grafana's editors write it."""
    found = {
        _THEIR_NAMES.get(name, _camel_case(name)): value
        for name, value in model.items()
        if name != "type"
    }
    kind = model.get("type")
    if kind in {"instant", "range"}:
        return found | {"instant": kind == "instant", "range": kind == "range"}
    return found | ({} if kind is None else {"type": kind})


def _candidates(name: str) -> tuple[str, ...]:
    snake = snake_case(name)
    return (name, snake, *_OTHER_NAMES.get(snake, ()))


def _with_type(
    found: dict[str, Any], model: JsonObject, known: Mapping[str, Any]
) -> dict[str, Any]:
    """Say ``type: instant`` where Grafana says ``instant: true`` or ``queryType: instant``."""
    choices = known.get("type", {})
    offered = choices.get("enum", ()) if isinstance(choices, Mapping) else ()
    if "instant" not in offered or "type" in found:
        return found
    is_instant = model.get("instant") is True and model.get("range") is not True
    if is_instant or model.get("queryType") == "instant":
        return found | {"type": "instant"}
    return found


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)
