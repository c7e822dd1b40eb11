"""Read a request document: ours, and Grafana's.

Ours: ``{"from": …, "to": …, "queries": [{"ref_id": "A", "datasource": "uid or name", …}],
"variables": {…}, "timeout": "30s"}``. What a query has beside the keys named here is its model.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detectviz.contracts.datasource import TimeRange
from detectviz.contracts.durations import DurationError, parse_duration_ms
from detectviz.queries.errors import DocumentError, VariableError
from detectviz.queries.intervals import fitting_interval_ms
from detectviz.queries.model import EXPRESSIONS, Query, QueryRequest
from detectviz.queries.times import parse_time_ms
from detectviz.queries.variables.model import read_variables

MOST_QUERIES = 50
DEFAULT_POINTS = 1_000
MOST_POINTS = 50_000
_LONGEST_REF_ID = 64
_OLD_EXPRESSIONS = frozenset({EXPRESSIONS, "-100", "Expression"})
_OWN_KEYS = frozenset(
    {"ref_id", "datasource", "hide", "interval_ms", "max_data_points", "from", "to"}
)
_GRAFANA_KEYS = frozenset(
    {
        "refId", "datasource", "datasourceId", "hide", "intervalMs", "maxDataPoints", "key",
        "timeRange", "requestId",
    }
)  # fmt: skip
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")  # noqa: TID251 - our own constant, lookarounds


@dataclass(frozen=True, slots=True)
class _Keys:
    """How a document spells what every query has."""

    ref_id: str
    interval_ms: str
    max_points: str
    envelope: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What all queries of a document share."""

    now_ms: int
    span: TimeRange
    keys: _Keys
    datasource: str | None


_OWN = _Keys("ref_id", "interval_ms", "max_data_points", _OWN_KEYS)
_GRAFANA = _Keys("refId", "intervalMs", "maxDataPoints", _GRAFANA_KEYS)


def read_request(document: object, *, now_ms: int, datasource: str | None = None) -> QueryRequest:
    """Read our document; ``datasource`` is asked by every query that is no expression.

    Raise DocumentError naming the field that is wrong.
    """
    return _read(document, now_ms, _OWN, datasource)


def read_grafana_request(document: object, *, now_ms: int) -> QueryRequest:
    """Read what Grafana's frontends and clients send to ``/api/ds/query``."""
    return _read(document, now_ms, _GRAFANA, None)


def snake_case(name: str) -> str:
    """Return Grafana's ``rawSql`` as our ``raw_sql``."""
    return _CAMEL.sub("_", name).lower()


def _read(document: object, now_ms: int, keys: _Keys, datasource: str | None) -> QueryRequest:
    if not isinstance(document, Mapping):
        raise DocumentError("body", "must be an object with queries")
    queries = document.get("queries")
    if not isinstance(queries, Sequence) or isinstance(queries, str) or not queries:
        raise DocumentError("queries", "must be a list of at least one query")
    if len(queries) > MOST_QUERIES:
        raise DocumentError("queries", f"at most {MOST_QUERIES} queries can be asked at once")
    span = _span(document, now_ms, "")
    reading = _Reading(now_ms=now_ms, span=span, keys=keys, datasource=datasource)
    found = tuple(_query(each, f"queries[{place}]", reading) for place, each in enumerate(queries))
    _require_unique(found, keys)
    variables = document.get("variables")
    if variables is None:
        variables = {}
    if not isinstance(variables, Mapping):
        raise DocumentError("variables", "must be an object of names and values")
    try:
        read = read_variables(variables)
    except VariableError as error:
        raise DocumentError("variables", error.message) from None
    return QueryRequest(queries=found, variables=read, timeout_s=_timeout(document))


def _query(given: object, where: str, reading: "_Reading") -> Query:
    keys, span = reading.keys, reading.span
    if not isinstance(given, Mapping):
        raise DocumentError(where, "must be an object")
    ref_id = given.get(keys.ref_id, "A")
    if not isinstance(ref_id, str) or not 0 < len(ref_id) <= _LONGEST_REF_ID:
        raise DocumentError(
            f"{where}.{keys.ref_id}", f"must be a text of 1 to {_LONGEST_REF_ID} characters"
        )
    own_span = given.get("timeRange") if keys is _GRAFANA else given
    if isinstance(own_span, Mapping) and ("from" in own_span or "to" in own_span):
        span = _span(own_span, reading.now_ms, f"{where}.")
    points = _whole(given, keys.max_points, where, DEFAULT_POINTS)
    points = min(max(1, points), MOST_POINTS)
    fitting_ms = fitting_interval_ms(span, points)
    interval_ms = _whole(given, keys.interval_ms, where, 0) or fitting_ms
    return Query(
        ref_id=ref_id,
        model={name: value for name, value in given.items() if name not in keys.envelope},
        range=span,
        interval_ms=max(1, interval_ms),
        max_points=points,
        datasource=_datasource(given, where, reading.datasource),
        is_hidden=given.get("hide") is True,
    )


def _datasource(given: Mapping[str, Any], where: str, only: str | None) -> str:
    named: object = given.get("datasource")
    if isinstance(named, Mapping):
        named = named.get("uid") or named.get("name") or named.get("type") or ""
    if named is None:
        named = str(given["datasourceId"]) if "datasourceId" in given else ""
    if not isinstance(named, str):
        raise DocumentError(f"{where}.datasource", "must be a uid or a name")
    if named in _OLD_EXPRESSIONS:
        return EXPRESSIONS
    if only is not None:
        if named not in {"", only}:
            raise DocumentError(
                f"{where}.datasource", f"this address asks {only!r} alone; leave it away"
            )
        return only
    return named


def _require_unique(queries: Sequence[Query], keys: _Keys) -> None:
    seen: set[str] = set()
    for place, query in enumerate(queries):
        if query.ref_id in seen:
            raise DocumentError(
                f"queries[{place}].{keys.ref_id}", f"{query.ref_id!r} is there twice"
            )
        seen.add(query.ref_id)


def _span(given: Mapping[str, Any], now_ms: int, where: str) -> TimeRange:
    bounds = []
    for name, default in (("from", "now-1h"), ("to", "now")):
        try:
            bounds.append(parse_time_ms(given.get(name, default), now_ms, is_end=name == "to"))
        except ValueError as error:
            raise DocumentError(f"{where}{name}", str(error)) from None
    if bounds[1] < bounds[0]:
        raise DocumentError(f"{where}to", "must not be before from")
    return TimeRange(start_ms=bounds[0], end_ms=bounds[1])


def _whole(given: Mapping[str, Any], name: str, where: str, default: int) -> int:
    value = given.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        raise DocumentError(f"{where}.{name}", "must be a whole number, not negative")
    return int(value)


def _timeout(document: Mapping[str, Any]) -> float | None:
    text = document.get("timeout")
    if text is None:
        return None
    try:
        timeout_ms = parse_duration_ms(text) if isinstance(text, str) else 0
    except DurationError as error:
        raise DocumentError("timeout", str(error)) from None
    if timeout_ms <= 0:
        raise DocumentError("timeout", "must be a duration such as 30s")
    return timeout_ms / 1000
