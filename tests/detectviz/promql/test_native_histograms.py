"""Native histograms travel from the store to the answer."""

import numpy as np
import pytest

from detectviz.promql.engine import Engine
from detectviz.promql.errors import TooManySamplesError
from detectviz.promql.json import result_json
from detectviz.promql.memory_store import MemoryStore
from detectviz.promql.results import Matrix, Vector
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import Sample

LATENCY = {"__name__": "latency", "job": "api"}
HISTOGRAM = Histogram(
    count=10,
    sum=12.5,
    zero_threshold=0.001,
    zero_count=1,
    positive_spans=((0, 2), (1, 1)),
    positive=(2, 3, 1),
    negative_spans=((0, 1),),
    negative=(3,),
)
SHOWN = {
    "count": "10",
    "sum": "12.5",
    "buckets": [
        [1, "-1", "-0.5", "3"],
        [3, "-0.001", "0.001", "1"],
        [0, "0.5", "1", "2"],
        [0, "1", "2", "3"],
        [0, "4", "8", "1"],
    ],
}


def store_of(*points: Histogram | float) -> MemoryStore:
    store = MemoryStore()
    for index, point in enumerate(points):
        if isinstance(point, Histogram):
            sample = Sample(LATENCY, index * 60_000, histogram=point)
        else:
            sample = Sample(LATENCY, index * 60_000, point)
        store.append("acme", [sample])
    return store


def test_a_selected_histogram_is_answered_as_prometheus_writes_it() -> None:
    result = Engine(store_of(HISTOGRAM)).instant("acme", "latency", 0)
    assert isinstance(result.value, Vector)
    assert np.isnan(result.value.values).all()
    (row,) = result_json(result)["result"]
    assert row == {"metric": LATENCY, "histogram": [0.0, SHOWN]}


def test_floats_and_histograms_of_a_range_stand_apart() -> None:
    result = Engine(store_of(1.0, HISTOGRAM)).range("acme", "latency", 0, 60_000, 60_000)
    (row,) = result_json(result)["result"]
    assert row["values"] == [[0.0, "1"]]
    assert row["histograms"] == [[60.0, SHOWN]]


def test_a_bare_range_gives_its_histograms() -> None:
    value = Engine(store_of(HISTOGRAM, HISTOGRAM)).instant("acme", "latency[5m]", 60_000).value
    assert isinstance(value, Matrix)
    assert value.histograms is not None
    assert value.histograms.tolist() == [[HISTOGRAM, HISTOGRAM]]


def test_a_histogram_weighs_more_than_a_float() -> None:
    query = "latency[5m]"
    Engine(store_of(*[1.0] * 6), max_samples=20).instant("acme", query, 300_000)
    with pytest.raises(TooManySamplesError):
        Engine(store_of(*[HISTOGRAM] * 6), max_samples=20).instant("acme", query, 300_000)
