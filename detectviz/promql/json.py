"""Answers in the shape of Prometheus' HTTP API (``data`` of query and query_range)."""

import math
from decimal import Decimal
from typing import Any

from detectviz.promql.histograms.buckets import Bucket, all_buckets
from detectviz.promql.results import Matrix, Result, Scalar, String, Vector
from detectviz.tsdb.histograms import Histogram

_PLAIN_FROM, _PLAIN_BELOW = 1e-6, 1e21  # between them Prometheus writes no exponent
# Which bounds belong to a bucket, by (lower inclusive, upper inclusive).
_RULES = {(False, True): 0, (True, False): 1, (False, False): 2, (True, True): 3}


def result_json(result: Result) -> dict[str, Any]:
    """Return ``{"resultType": …, "result": …}``: times in seconds, values as text.

    Native histograms stand under ``histogram`` and ``histograms`` in place of ``value`` and
    ``values``.
    """
    match result.value:
        case Scalar(timestamp_ms=at, value=value):
            return {"resultType": "scalar", "result": [at / 1000, value_text(value)]}
        case String(timestamp_ms=at, value=text):
            return {"resultType": "string", "result": [at / 1000, text]}
        case Vector() as vector:
            return {"resultType": "vector", "result": _vector(vector)}
        case Matrix() as matrix:
            return {"resultType": "matrix", "result": _matrix(matrix)}


def value_text(value: float) -> str:
    """Return a float as Prometheus prints it: shortest form that reads back, NaN, +Inf, -Inf."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text and _PLAIN_FROM <= abs(value) < _PLAIN_BELOW:
        return f"{Decimal(text):f}"
    return text.removesuffix(".0")


def histogram_json(histogram: Histogram) -> dict[str, Any]:
    """Return count, sum and the buckets that hold anything: [rule, lower, upper, count].

    Rule 0 is open on the left, 1 on the right, 2 on both sides, 3 closed.
    """
    shown: dict[str, Any] = {
        "count": value_text(histogram.count),
        "sum": value_text(histogram.sum),
    }
    buckets = [_bucket(one) for one in all_buckets(histogram) if one.count != 0]
    return shown | {"buckets": buckets} if buckets else shown


def _bucket(bucket: Bucket) -> list[Any]:
    rule = _RULES[bucket.is_lower_inclusive, bucket.is_upper_inclusive]
    return [rule, *map(value_text, (bucket.lower, bucket.upper, bucket.count))]


def _vector(vector: Vector) -> list[dict[str, Any]]:
    at_s = vector.timestamp_ms / 1000
    held = [None] * len(vector) if vector.histograms is None else vector.histograms.tolist()
    return [
        {"metric": dict(labels), "value": [at_s, value_text(value)]}
        if histogram is None
        else {"metric": dict(labels), "histogram": [at_s, histogram_json(histogram)]}
        for labels, value, histogram in zip(
            vector.labels, vector.values.tolist(), held, strict=True
        )
    ]


def _matrix(matrix: Matrix) -> list[dict[str, Any]]:
    times = (matrix.timestamps_ms / 1000).tolist()
    rows: list[dict[str, Any]] = []
    for index, labels in enumerate(matrix.labels):
        present = matrix.present[index]
        natives = _native_points(matrix, index, times)
        if natives and matrix.histograms is not None:
            present = present & ~matrix.histograms[index].astype(bool)
        points = [
            [at, value_text(value)]
            for at, value, is_there in zip(
                times, matrix.values[index].tolist(), present.tolist(), strict=True
            )
            if is_there
        ]
        row: dict[str, Any] = {"metric": dict(labels)}
        if points or not natives:
            row["values"] = points
        if natives:
            row["histograms"] = natives
        rows.append(row)
    return rows


def _native_points(matrix: Matrix, index: int, times: list[float]) -> list[list[Any]]:
    if matrix.histograms is None:
        return []
    held = zip(
        times, matrix.histograms[index].tolist(), matrix.present[index].tolist(), strict=True
    )
    return [
        [at, histogram_json(histogram)]
        for at, histogram, is_there in held
        if is_there and histogram is not None
    ]
