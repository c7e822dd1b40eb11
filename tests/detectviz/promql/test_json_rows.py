"""The bytes say what the objects say."""

import math
from typing import Any

import numpy as np
import orjson
import pytest

from detectviz.promql.json import result_json, value_text
from detectviz.promql.json_rows import json_bytes, result_bytes, time_bytes, value_parts
from detectviz.promql.results import Answer, Matrix, Result, Scalar, String, Vector
from detectviz.tsdb.histograms import Histogram

AWKWARD = [0.0, -0.0, 1.0, -2.5, 0.1, 1e15, 1e16, 1.5e20, 1e21, 1e300, 1e-5, 1e-6, 1e-7, 5e-324]
AWKWARD += [math.nan, math.inf, -math.inf, 123456789.125, 1 / 3, 100.0, 10.0]


def read(answer: Answer) -> Any:
    return orjson.loads(b"{" + result_bytes(Result(value=answer)) + b"}")


def test_values_are_written_as_prometheus_writes_them() -> None:
    assert [part.decode() for part in value_parts(np.array(AWKWARD))] == [
        value_text(value) for value in AWKWARD
    ]
    plain = [value for value in AWKWARD if math.isfinite(value) and 1e-4 <= abs(value) < 1e15]
    assert [part.decode() for part in value_parts(np.array(plain))] == list(map(value_text, plain))
    assert value_text(1.5e20) == "150000000000000000000"
    assert value_text(1e-5) == "0.00001"
    assert value_parts(np.array([])) == []


@pytest.mark.parametrize(
    ("at_ms", "text"), [(0, b"0"), (1500, b"1.500"), (-1, b"-0.001"), (7_000, b"7")]
)
def test_times_are_seconds(at_ms: int, text: bytes) -> None:
    assert time_bytes(at_ms) == text


def test_every_type_of_answer_reads_as_its_objects() -> None:
    native = Histogram(count=3, sum=1.5, positive_spans=((0, 1),), positive=(3.0,))
    held = np.array([None, native], dtype=object)
    labels = ({"b": "x", "__name__": "m"}, {"a": 'quote " and \\'})
    steps = np.array([1_000, 2_500, 4_000])
    values = np.array([[1.0, math.nan, 2.0], [1e-9, 4.0, 5.5]])
    present = np.array([[True, True, True], [True, False, True]])
    natives = np.full((2, 3), None, dtype=object)
    natives[1, 2] = native
    answers: list[Answer] = [
        Scalar(timestamp_ms=1_500, value=2.0),
        String(timestamp_ms=0, value='a "b"'),
        Vector(timestamp_ms=1_001, labels=labels, values=np.array([1.0, math.inf])),
        Vector(timestamp_ms=1, labels=labels, values=np.array([1.0, math.nan]), histograms=held),
        Vector(timestamp_ms=1, labels=(), values=np.array([])),
        Matrix(timestamps_ms=steps, labels=labels, values=values, present=present),
        Matrix(
            timestamps_ms=steps, labels=labels, values=values, present=present, histograms=natives
        ),
    ]
    for answer in answers:
        assert read(answer) == result_json(Result(value=answer))


def test_bytes_that_are_no_text_do_not_end_an_answer() -> None:
    assert json_bytes({"a": ["\udcff"]}) == b'{"a":["?"]}'
