"""Results in the JSON of Grafana's data frames, as ``/api/ds/query`` answers.

Source: ``data/frame_json.go`` of grafana-plugin-sdk-go: ``schema`` and ``data``; numbers JSON has
no word for are null and listed in ``entities``, parts of milliseconds are in ``nanos``.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.queries.caps import plain_values
from detectviz.queries.encoding.cells import json_bytes
from detectviz.queries.model import Outcome, Results

_TYPES = {
    FieldType.TIME: ("time", "time.Time"),
    FieldType.NUMBER: ("number", "float64"),
    FieldType.STRING: ("string", "string"),
    FieldType.BOOLEAN: ("boolean", "bool"),
    FieldType.OTHER: ("other", "json.RawMessage"),
}
_NANOS_PER_MS = 1_000_000


def grafana_json(results: Results) -> Iterator[bytes]:
    """Yield the answer of ``ds/query``."""
    yield b'{"results":{'
    for place, outcome in enumerate(results.shown()):
        yield (b"," if place else b"") + json_bytes(outcome.ref_id) + b":"
        yield from _outcome(outcome)
    yield b"}}"


def grafana_frame(frame: Frame) -> dict[str, Any]:
    """Return one frame."""
    columns = [_column(each) for each in frame.fields]
    data: dict[str, Any] = {"values": [values for values, _, _ in columns]}
    if any(nanos for _, nanos, _ in columns):
        data["nanos"] = [nanos or None for _, nanos, _ in columns]
    if any(entities for _, _, entities in columns):
        data["entities"] = [entities or None for _, _, entities in columns]
    return {"schema": _schema(frame), "data": data}


def _outcome(outcome: Outcome) -> Iterator[bytes]:
    head: dict[str, Any] = {"status": outcome.status}
    if outcome.error is not None:
        head |= {"error": outcome.error.message, "errorSource": "downstream"}
    yield json_bytes(head)[:-1] + b',"frames":['
    for place, frame in enumerate(outcome.frames):
        yield (b"," if place else b"") + json_bytes(grafana_frame(frame))
    yield b"]}"


def _schema(frame: Frame) -> dict[str, Any]:
    meta: dict[str, Any] = {"type": _frame_type(frame), "typeVersion": [0, 1]}
    if frame.executed_query:
        meta["executedQueryString"] = frame.executed_query
    if frame.notices:
        meta["notices"] = [{"severity": each.severity, "text": each.text} for each in frame.notices]
    if frame.meta:
        meta["custom"] = frame.meta
    schema: dict[str, Any] = {"refId": frame.ref_id, "meta": meta}
    if frame.name:
        schema["name"] = frame.name
    return {**schema, "fields": [_field(each) for each in frame.fields]}


def _frame_type(frame: Frame) -> str:
    numbers = sum(each.type is FieldType.NUMBER for each in frame.fields)
    suffix = "multi" if numbers <= 1 else "wide"
    names = {
        "time-series": f"timeseries-{suffix}",
        "numeric": f"numeric-{suffix}",
        "logs": "log-lines",
    }
    return names.get(frame.shape, "table")


def _field(each: Field) -> dict[str, Any]:
    type_, go_type = _TYPES[each.type]
    found: dict[str, Any] = {
        "name": each.name,
        "type": type_,
        "typeInfo": {"frame": go_type, "nullable": True},
    }
    if each.labels:
        found["labels"] = dict(each.labels)
    if each.unit:
        found["config"] = {"unit": each.unit}
    return found


def _column(each: Field) -> tuple[object, list[int], dict[str, list[int]]]:
    if isinstance(each.values, np.ndarray) and _is_plain(each.values):
        return np.ascontiguousarray(each.values), [], {}
    values = plain_values(each)
    if each.type is FieldType.TIME:
        return _times(values)
    if each.type is not FieldType.NUMBER:
        return values, [], {}
    entities: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        if isinstance(value, float) and not math.isfinite(value):
            entities.setdefault(_entity(value), []).append(place)
            values[place] = None
    return values, [], entities


def _is_plain(values: Any) -> bool:
    return values.dtype.kind in "iu" or bool(np.isfinite(values).all() and values.dtype.kind == "f")


def _entity(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Inf" if value > 0 else "NegInf"


def _times(values: list[object]) -> tuple[object, list[int], dict[str, list[int]]]:
    if not any(isinstance(value, float) for value in values):
        return values, [], {}
    whole = [math.floor(value) if isinstance(value, float) else value for value in values]
    nanos = [
        round((value - math.floor(value)) * _NANOS_PER_MS) if isinstance(value, float) else 0
        for value in values
    ]
    return whole, nanos if any(nanos) else [], {}
