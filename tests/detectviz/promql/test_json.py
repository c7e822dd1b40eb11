"""Answers as Prometheus' API writes them."""

import math

import pytest

from detectviz.promql.engine import Engine
from detectviz.promql.json import result_json, value_text
from detectviz.tsdb.interface import Sample
from tests.conformance.promql.store import MemoryStore


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (1e300, "1e+300"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_values_are_text(value: float, text: str) -> None:
    assert value_text(value) == text


def test_vector_matrix_scalar_and_string_have_prometheus_shapes() -> None:
    store = MemoryStore()
    labels = {"__name__": "up", "job": "a"}
    store.append("t", [Sample(labels, 1_000, 1.0), Sample(labels, 61_000, 0.5)])
    engine = Engine(store)

    assert result_json(engine.instant("t", "up", 61_000)) == {
        "resultType": "vector",
        "result": [{"metric": labels, "value": [61.0, "0.5"]}],
    }
    assert result_json(engine.range("t", "up", 1_000, 61_000, 60_000)) == {
        "resultType": "matrix",
        "result": [{"metric": labels, "values": [[1.0, "1"], [61.0, "0.5"]]}],
    }
    assert result_json(engine.instant("t", "1 + 1", 1_500)) == {
        "resultType": "scalar",
        "result": [1.5, "2"],
    }
    assert result_json(engine.instant("t", '"x"', 0)) == {
        "resultType": "string",
        "result": [0.0, "x"],
    }
