"""Rules that ask datasources, as users write them: queries, expressions, and the condition."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from detectviz.contracts.datasource import TimeRange
from detectviz.contracts.durations import DurationError, parse_duration_ms
from detectviz.contracts.types import JsonObject
from detectviz.queries.errors import ExpressionError
from detectviz.queries.expressions.commands import read_command
from detectviz.queries.expressions.ordering import ordered
from detectviz.queries.model import EXPRESSIONS

MOST_QUERIES = 26
DEFAULT_FROM = "10m"
NO_PAST = "Only PromQL can be run over the past; datasources are asked as they are now."
_FIELDS = frozenset(
    {
        "ref_id",
        "datasource",
        "model",
        "relative_from",
        "relative_to",
        "interval_ms",
        "max_data_points",
    }
)
_REF_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")  # noqa: TID251 - our own constant
_LONGEST_MS = 400 * 86_400_000
_ANY_RANGE = TimeRange(start_ms=0, end_ms=600_000)

Problems = dict[str, list[str]]


def is_expression(query: Mapping[str, Any]) -> bool:
    """Tell whether a query is computed from others."""
    return query.get("datasource") == EXPRESSIONS


def condition_problems(rule: Mapping[str, Any]) -> Problems:
    """Return what is wrong with the queries and the condition of a rule, per field.

    Datasources are not looked up: ``queries[1].model`` of an expression is judged, of others not.
    """
    if str(rule.get("expr") or "").strip():
        return {"expr": ["A rule has either a PromQL expression or queries, not both."]}
    queries = rule.get("queries")
    if not isinstance(queries, Sequence) or isinstance(queries, str):
        return {"queries": ["Must be a list of queries."]}
    if not 0 < len(queries) <= MOST_QUERIES:
        return {"queries": [f"Must be 1 to {MOST_QUERIES} queries."]}
    problems: Problems = {}
    for place, query in enumerate(queries):
        found = _query_problems(query)
        problems |= {f"queries[{place}]{name}": text for name, text in found.items()}
    if problems:
        return problems
    return _reference_problems(queries, rule.get("condition"))


def _query_problems(query: object) -> Problems:
    if not isinstance(query, Mapping):
        return {"": ["Must be a query: ref_id, datasource, model."]}
    known = ", ".join(sorted(_FIELDS))
    problems: Problems = {
        f".{name}": [f"Unknown field. Known fields: {known}."] for name in query.keys() - _FIELDS
    }
    ref_id = query.get("ref_id")
    if not isinstance(ref_id, str) or not _REF_ID.fullmatch(ref_id):
        problems[".ref_id"] = ["Must be a short name such as A: letters, digits, underscores."]
    if not isinstance(query.get("datasource", ""), str):
        problems[".datasource"] = ["Must be a name, a uid, or __expr__ for an expression."]
    if not isinstance(query.get("model", {}), Mapping):
        problems[".model"] = ["Must be an object: what the datasource's plugin reads."]
    problems |= _range_problems(query)
    for name in ("interval_ms", "max_data_points"):
        value = query.get(name)
        if value is not None and (type(value) is not int or not 0 < value < 2**31):
            problems[f".{name}"] = ["Must be a whole number above 0."]
    return problems


def _range_problems(query: Mapping[str, Any]) -> Problems:
    problems: Problems = {}
    for name in ("relative_from", "relative_to"):
        value = query.get(name)
        if value is None:
            continue
        try:
            milliseconds = parse_duration_ms(value) if isinstance(value, str) else -1
        except DurationError as error:
            problems[f".{name}"] = [str(error)]
            continue
        if not 0 <= milliseconds <= _LONGEST_MS:
            problems[f".{name}"] = ["Must be a duration before the evaluation, at most 400d."]
    if not problems and relative_ms(query, "relative_from") <= relative_ms(query, "relative_to"):
        problems[".relative_from"] = ["Must be longer ago than relative_to."]
    return problems


def relative_ms(query: Mapping[str, Any], name: str) -> int:
    """Return how long before the evaluation a query's range begins or ends."""
    default = DEFAULT_FROM if name == "relative_from" else "0s"
    return parse_duration_ms(query.get(name) or default)


def _reference_problems(queries: Sequence[Mapping[str, Any]], condition: object) -> Problems:
    problems: Problems = {}
    known: list[str] = []
    for place, query in enumerate(queries):
        if query["ref_id"] in known:
            problems[f"queries[{place}].ref_id"] = [f"{query['ref_id']!r} is there twice."]
        known.append(query["ref_id"])
    needs: dict[str, tuple[str, ...]] = {}
    for place, query in enumerate(queries):
        if not is_expression(query):
            continue
        path = f"queries[{place}].model"
        try:
            needs[query["ref_id"]] = read_command(query.get("model", {}), _ANY_RANGE).needs
        except ExpressionError as error:
            problems[path] = [error.message]
            continue
        lost = [name for name in needs[query["ref_id"]] if name not in known]
        if lost:
            problems[path] = [f"Refers to {', '.join(lost)}, which is no query of this rule."]
    if not isinstance(condition, str) or condition not in known:
        problems["condition"] = [f"Must name one of the queries: {', '.join(known)}."]
    return problems or _cycle_problems(needs)


def _cycle_problems(needs: Mapping[str, tuple[str, ...]]) -> Problems:
    try:
        ordered(needs)
    except ExpressionError as error:
        return {"queries": [error.message]}
    return {}


def queries_document(
    queries: Sequence[Mapping[str, Any]],
    *,
    at_ms: int,
    timeout: str,
    loaded: Sequence[Mapping[str, str]] = (),
) -> JsonObject:
    """Return the request document of valid queries as of a time.

    ``loaded`` are the dimensions that hold already: thresholds with a second one for the way back
    judge them by it. An expression without a range has the widest of the queries.
    """
    asked = [query for query in queries if not is_expression(query)] or queries
    widest = {
        "relative_from": max(relative_ms(query, "relative_from") for query in asked),
        "relative_to": min(relative_ms(query, "relative_to") for query in asked),
    }
    read: list[JsonObject] = []
    for query in queries:
        own = {
            name: widest[name]
            if is_expression(query) and not query.get(name)
            else relative_ms(query, name)
            for name in widest
        }
        sizes = {
            name: query[name] for name in ("interval_ms", "max_data_points") if query.get(name)
        }
        read.append(
            {
                **_model(query, loaded),
                "ref_id": query["ref_id"],
                "datasource": query.get("datasource", ""),
                "hide": False,
                "from": at_ms - own["relative_from"],
                "to": at_ms - own["relative_to"],
                **sizes,
            }
        )
    return {"queries": read, "timeout": timeout}


def _model(query: Mapping[str, Any], loaded: Sequence[Mapping[str, str]]) -> JsonObject:
    model = dict(query.get("model") or {})
    if is_expression(query) and model.get("type") == "threshold":
        model["conditions"] = [
            {**one, "loadedDimensions": [dict(labels) for labels in loaded]}
            if one.get("unloadEvaluator")
            else one
            for one in model["conditions"]
        ]
    return model
