"""Answers in the shape of Prometheus' HTTP API (``data`` of query and query_range)."""

import math
from typing import Any

from detectviz.promql.results import Matrix, Result, Scalar, String, Vector


def result_json(result: Result) -> dict[str, Any]:
    """Return ``{"resultType": …, "result": …}``: times in seconds, values as text."""
    match result.value:
        case Scalar(timestamp_ms=at, value=value):
            return {"resultType": "scalar", "result": [at / 1000, value_text(value)]}
        case String(timestamp_ms=at, value=text):
            return {"resultType": "string", "result": [at / 1000, text]}
        case Vector() as vector:
            at_s = vector.timestamp_ms / 1000
            return {
                "resultType": "vector",
                "result": [
                    {"metric": dict(labels), "value": [at_s, value_text(value)]}
                    for labels, value in zip(vector.labels, vector.values.tolist(), strict=True)
                ],
            }
        case Matrix() as matrix:
            return {"resultType": "matrix", "result": _matrix(matrix)}


def value_text(value: float) -> str:
    """Return a float as Prometheus prints it: shortest form that reads back, NaN, +Inf, -Inf."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    return text.removesuffix(".0")


def _matrix(matrix: Matrix) -> list[dict[str, Any]]:
    times = (matrix.timestamps_ms / 1000).tolist()
    rows: list[dict[str, Any]] = []
    for index, labels in enumerate(matrix.labels):
        present = matrix.present[index].tolist()
        values = matrix.values[index].tolist()
        points = [
            [at, value_text(value)]
            for at, value, is_there in zip(times, values, present, strict=True)
            if is_there
        ]
        rows.append({"metric": dict(labels), "values": points})
    return rows
