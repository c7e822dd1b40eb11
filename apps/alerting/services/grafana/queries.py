"""The ``data`` of Grafana's rules as queries of ours, and back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import models

from apps.alerting.services.condition_specs import DEFAULT_FROM, is_expression, relative_ms
from apps.alerting.services.grafana.files import mappings_at
from apps.alerting.services.grafana.sources import Sources
from apps.datasources.selectors import datasource_resolve
from apps.datasources.services.grafana_models import TYPES, grafana_model, lost_names, own_model
from apps.datasources.services.queries import query_schema
from detectviz.contracts.durations import format_duration
from detectviz.contracts.types import JsonObject
from detectviz.queries.document import snake_case
from detectviz.queries.model import EXPRESSIONS
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.resources.losses import Losses

OWN_SERIES: Final = "detectviz"  # the plugin, and the uid where an org has no such datasource
_PROMETHEUS: Final = "prometheus"
_OLD_EXPRESSIONS: Final = "-100"
_FIELDS: Final = {"refId", "queryType", "relativeTimeRange", "datasourceUid", "model"}
# What stands in models beside the query: the frame, and the editor's own state.
_FRAME: Final = {
    "refId",
    "datasource",
    "hide",
    "intervalMs",
    "maxDataPoints",
    "key",
    "datasourceId",
}
_EDITOR: Final = {
    "editorMode", "editorType", "rawQuery", "rawEditor", "builderMode", "builderOptions", "instant",
    "range", "exemplar", "queryType", "requestId", "utcOffsetSec", "legendFormat", "meta", "id",
    "fullMetaSearch", "includeNullMetadata", "useBackend", "disableTextWrap", "intervalFactor",
    "pluginVersion", "orderByTime", "policy", "resultFormat", "sql",
}  # fmt: skip
_EXPRESSION_FIELDS: Final = {
    "math": ("expression",),
    "reduce": ("expression", "reducer", "settings"),
    "resample": ("expression", "window", "downsampler", "upsampler"),
    "threshold": ("expression", "conditions"),
    "classic_conditions": ("conditions",),
}
_CONDITION_FIELDS: Final = ("evaluator", "unloadEvaluator", "operator", "query", "reducer")
_SIZES: Final = {"intervalMs": "interval_ms", "maxDataPoints": "max_data_points"}


def queries_of(
    data: object, path: str, *, org: models.Model | None, sources: Sources, losses: Losses
) -> list[dict[str, Any]]:
    """Return the queries of a rule; raise InvalidFieldsError for what is none."""
    return [_query(each, place, org, sources, losses) for place, each in mappings_at(data, path)]


def _query(
    given: Mapping[str, Any],
    path: str,
    org: models.Model | None,
    sources: Sources,
    losses: Losses,
) -> dict[str, Any]:
    model = given.get("model")
    if not isinstance(model, Mapping):
        raise InvalidFieldsError({f"{path}.model": ["Must be an object."]})
    for name in given.keys() - _FIELDS:
        losses.add(f"{path}.{name}", "unknown field of a query")
    query: dict[str, Any] = {"ref_id": str(given.get("refId") or model.get("refId") or "")}
    if _is_expression(given, model):
        query |= {"datasource": EXPRESSIONS, "model": _expression(model)}
        return query | _range(given, path, None)
    datasource = sources.of(str(given.get("datasourceUid") or ""))
    query |= {"datasource": datasource, **_range(given, path, losses)}
    query |= {ours: model[name] for name, ours in _SIZES.items() if model.get(name)}
    return query | {"model": _own(given, model, f"{path}.model", _schema(org, datasource), losses)}


def _is_expression(given: Mapping[str, Any], model: Mapping[str, Any]) -> bool:
    datasource = model.get("datasource")
    named = datasource.get("uid") if isinstance(datasource, Mapping) else datasource
    return {str(given.get("datasourceUid")), str(named)} & {EXPRESSIONS, _OLD_EXPRESSIONS} != set()


def _expression(model: Mapping[str, Any]) -> dict[str, Any]:
    kind = model.get("type")
    found: dict[str, Any] = {"type": kind}
    for name in _EXPRESSION_FIELDS.get(str(kind), ()):
        if model.get(name) not in (None, {}, []):
            found[name] = model[name]
    if isinstance(found.get("conditions"), list):
        # A threshold knows its evaluators only; the rest is what the editor left there.
        names = _CONDITION_FIELDS[:2] if kind == "threshold" else _CONDITION_FIELDS
        found["conditions"] = [
            {name: one[name] for name in names if one.get(name) is not None}
            for one in found["conditions"]
            if isinstance(one, Mapping)
        ]
    return found


def _range(given: Mapping[str, Any], path: str, losses: Losses | None) -> dict[str, str]:
    """Return from when to when; an expression (no ``losses``) may say nothing."""
    written = given.get("relativeTimeRange") or {}
    try:
        begin, end = int(written.get("from") or 0), int(written.get("to") or 0)
    except (TypeError, ValueError, AttributeError):
        message = "Must be {from, to}: seconds before the evaluation."
        raise InvalidFieldsError({f"{path}.relativeTimeRange": [message]}) from None
    if begin > end:
        found = {"relative_from": format_duration(begin)}
        return found | ({"relative_to": format_duration(end)} if end else {})
    if losses is not None and written:
        losses.add(
            f"{path}.relativeTimeRange",
            f"a range needs a length: it becomes the last {DEFAULT_FROM}",
            "Where the query is instant nothing changes; else set relative_from of the query.",
        )
    return {}


def _own(
    given: Mapping[str, Any],
    model: Mapping[str, Any],
    path: str,
    schema: JsonObject | None,
    losses: Losses,
) -> dict[str, Any]:
    """Return the model as the datasource's plugin reads it, as far as that is known."""
    asked = {name: value for name, value in model.items() if name not in _FRAME}
    if given.get("queryType"):
        asked["queryType"] = given["queryType"]
    if schema is None:
        return {snake_case(name): value for name, value in asked.items()}
    for name in lost_names(asked, schema):
        if name not in _EDITOR and asked[name] not in (None, "", [], {}, False):
            losses.add(f"{path}.{name}", "the datasource's plugin has no such setting")
    return dict(own_model(asked, schema))


def _schema(org: models.Model | None, ref: str) -> JsonObject | None:
    if org is None:
        return None
    try:
        return query_schema(org=org, ref=ref)
    except NotFoundError:
        return None


def is_own_series(query: Mapping[str, Any], org: models.Model | None) -> bool:
    """Say whether a query asks the org's own series."""
    ref = query["datasource"]
    if org is None or ref == OWN_SERIES:
        return bool(ref == OWN_SERIES)
    try:
        return datasource_resolve(org=org, ref=ref).plugin == OWN_SERIES
    except NotFoundError:
        return False


def data_of(queries: Sequence[Mapping[str, Any]], org: models.Model) -> list[dict[str, Any]]:
    """Return a rule's queries as Grafana writes them."""
    return [_datum(query, org) for query in queries]


def _datum(query: Mapping[str, Any], org: models.Model) -> dict[str, Any]:
    ref_id, uid, plugin = query["ref_id"], EXPRESSIONS, EXPRESSIONS
    model = dict(query.get("model") or {})
    is_computed = is_expression(query)
    if not is_computed:
        model = grafana_model(model)
        uid, plugin = _named(query.get("datasource", ""), org)
    seconds = {
        name: 0 if is_computed and not query.get("relative_from") else relative_ms(query, ours)
        for name, ours in (("from", "relative_from"), ("to", "relative_to"))
    }
    sizes = {name: query[ours] for name, ours in _SIZES.items() if query.get(ours)}
    return {
        "refId": ref_id,
        "relativeTimeRange": {name: value // 1000 for name, value in seconds.items()},
        "datasourceUid": uid,
        "model": {**model, "refId": ref_id, "datasource": {"type": plugin, "uid": uid}, **sizes},
    }


def _named(ref: str, org: models.Model) -> tuple[str, str]:
    """Return the uid and Grafana's type of a datasource; the org's own series are a Prometheus."""
    try:
        found = datasource_resolve(org=org, ref=ref)
    except NotFoundError:
        return ref, _PROMETHEUS if ref == OWN_SERIES else ""
    plugin = _PROMETHEUS if found.plugin == OWN_SERIES else found.plugin
    return found.uid, TYPES.get(plugin, plugin)
