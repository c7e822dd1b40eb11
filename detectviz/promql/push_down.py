"""Whole queries evaluated by the backend's own engine instead of ours: an opt-in, with a warning.

For ``Engine.instant`` and ``Engine.range`` there are ``push_down_instant`` and ``push_down_range``
with the same answers. What differs: the semantics are the backend's (the warning says which), what
still waits in the queue is not seen, and native histograms are no answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from detectviz.promql import nodes
from detectviz.promql.annotations import Annotation, Severity
from detectviz.promql.errors import EvaluationError
from detectviz.promql.formatting import format_expression
from detectviz.promql.labels import Labels, label_key
from detectviz.promql.parser import parse
from detectviz.promql.results import Answer, Matrix, Result, Scalar, String, Vector
from detectviz.promql.tenancy import with_tenant
from detectviz.tsdb.backend_http import BackendError
from detectviz.tsdb.interface import Int64Array, SeriesStore, StoreError
from detectviz.tsdb.sending.backend import RemoteQuery
from detectviz.tsdb.sending.store import RemoteStore

_MOST_STEPS = 11_000
_REFUSALS = frozenset({400, 422})  # bad data, and an execution that failed


def can_push_down(store: SeriesStore) -> bool:
    """Tell whether the store has an engine of its own."""
    return isinstance(store, RemoteStore)


def push_down_instant(
    store: SeriesStore,
    tenant: str,
    query: str | nodes.Expression,
    at_ms: int,
    *,
    timeout_s: float = 120.0,
) -> Result:
    """Let the store's backend evaluate ``query`` at one time (Unix milliseconds).

    The tenant is enforced on every selector before anything is sent. Raise ParseError,
    UnsupportedError (what could reach beyond the tenant), EvaluationError (the store has no
    engine, or its engine says no), StoreError (no answer).
    """
    asked = RemoteQuery(text="", start_ms=at_ms, end_ms=at_ms, timeout_s=timeout_s)
    return _answered(store, tenant, query, asked)


def push_down_range(
    store: SeriesStore,
    tenant: str,
    query: str | nodes.Expression,
    *,
    start_ms: int,
    end_ms: int,
    step_ms: int,
    timeout_s: float = 120.0,
) -> Result:
    """Let the store's backend evaluate ``query`` at every step; give a Matrix, as ``Engine.range``.

    Raise what ``push_down_instant`` raises.
    """
    if step_ms <= 0 or end_ms < start_ms or (end_ms - start_ms) // step_ms > _MOST_STEPS:
        raise EvaluationError(
            f"a range needs a positive step, an end after its start and at most {_MOST_STEPS} steps"
        )
    asked = RemoteQuery(
        text="", start_ms=start_ms, end_ms=end_ms, step_ms=step_ms, timeout_s=timeout_s
    )
    return _answered(store, tenant, query, asked)


def _answered(
    store: SeriesStore, tenant: str, query: str | nodes.Expression, asked: RemoteQuery
) -> Result:
    if not isinstance(store, RemoteStore):
        raise EvaluationError("the series store has no engine of its own to evaluate this query")
    label = store.backend.query_tenant_label
    text = query if isinstance(query, str) else ""
    expression = parse(query) if isinstance(query, str) else query
    if label is not None:
        expression = with_tenant(expression, label=label, tenant=tenant, text=text)
    pushed = RemoteQuery(
        text=format_expression(expression),
        start_ms=asked.start_ms,
        end_ms=asked.end_ms,
        step_ms=asked.step_ms,
        timeout_s=asked.timeout_s,
    )
    body = _sent(store, tenant, pushed)
    warnings = [store.backend.query_warning, *(str(one) for one in body.get("warnings") or ())]
    return Result(
        value=_value(body["data"], label, asked),
        annotations=tuple(Annotation(Severity.WARNING, one, 1, 1) for one in warnings),
    )


def _sent(store: RemoteStore, tenant: str, query: RemoteQuery) -> Mapping[str, Any]:
    try:
        query.text.encode()
    except UnicodeEncodeError:
        raise EvaluationError("the query is not valid UTF-8") from None
    try:
        found: Mapping[str, Any] = orjson.loads(store.query(tenant, query))
    except BackendError as error:
        if error.status in _REFUSALS:
            raise EvaluationError(str(error)) from error
        raise
    except orjson.JSONDecodeError as error:
        raise StoreError(f"the backend's answer is not understood: {error}") from error
    return found


def _value(data: Mapping[str, Any], label: str | None, asked: RemoteQuery) -> Answer:
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return Scalar(timestamp_ms=asked.start_ms, value=float(result[1]))
    if kind == "string":
        return String(timestamp_ms=asked.start_ms, value=result[1])
    if any("histogram" in one or "histograms" in one for one in result):
        raise EvaluationError("native histograms can't be the answer of another server's engine")
    ordered = sorted(
        ((_labels(one["metric"], label), one) for one in result),
        key=lambda item: label_key(item[0]) if kind == "matrix" else (),
    )
    labels = tuple(item[0] for item in ordered)
    if kind == "vector":
        values = np.array([float(one["value"][1]) for _, one in ordered], np.float64)
        return Vector(timestamp_ms=asked.start_ms, labels=labels, values=values)
    return _matrix(labels, [one["values"] for _, one in ordered], asked)


def _labels(metric: Mapping[str, str], label: str | None) -> Labels:
    return {name: value for name, value in metric.items() if name != label}


def _matrix(
    labels: tuple[Labels, ...], rows: Sequence[Sequence[tuple[float, str]]], asked: RemoteQuery
) -> Matrix:
    times = [np.array([round(at * 1000) for at, _ in row], np.int64) for row in rows]
    grid = _grid(times, asked)
    values = np.full((len(rows), len(grid)), np.nan)
    present = np.zeros(values.shape, np.bool_)
    for place, row in enumerate(rows):
        columns = np.minimum(grid.searchsorted(times[place]), max(len(grid) - 1, 0))
        values[place, columns] = [float(value) for _, value in row]
        present[place, columns] = True
    return Matrix(timestamps_ms=grid, labels=labels, values=values, present=present)


def _grid(times: Sequence[Int64Array], asked: RemoteQuery) -> Int64Array:
    if asked.step_ms:
        return np.arange(asked.start_ms, asked.end_ms + 1, asked.step_ms, dtype=np.int64)
    return np.unique(np.concatenate([np.empty(0, np.int64), *times]))
