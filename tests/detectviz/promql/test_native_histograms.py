"""Native histograms travel from the store to the answer, and through what is done with them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detectviz.promql.engine import Engine
from detectviz.promql.errors import TooManySamplesError
from detectviz.promql.json import result_json
from detectviz.promql.memory_store import MemoryStore
from detectviz.promql.results import Matrix, Vector
from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.histograms import CounterReset, Histogram
from detectviz.tsdb.interface import Sample, SampleColumns, SeriesStore
from tests.detectviz.promql.histograms.made import custom, exponential

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


def first_of(store: SeriesStore, query: str, at_ms: int = 300_000) -> Histogram:
    value = Engine(store).instant("acme", query, at_ms).value
    assert isinstance(value, Vector)
    assert value.histograms is not None
    found: Histogram = value.histograms[0]
    return found


def counting(store: SeriesStore) -> SeriesStore:
    """Append two counters, one of which restarts, and a float, column by column."""
    grown = [exponential({1: float(at), 2: 2.0 * at}) for at in range(1, 6)]
    restarted = [*grown[:3], *grown[:2]]
    histograms = np.full(11, None, dtype=np.object_)
    histograms[:10] = [*grown, *restarted]
    times = np.array([*range(5), *range(5), 0], dtype=np.int64) * 60_000
    columns = SampleColumns(
        series=("a", "b", "f"),
        labels_of=lambda token: {"__name__": "latency", "job": str(token)},
        owners=np.repeat(np.array([0, 1, 2], dtype=np.int64), [5, 5, 1]),
        timestamps_ms=times,
        values=np.append(np.full(10, np.nan), 1.0),
        histograms=histograms,
    )
    assert store.append_columns("acme", columns).stored == 11
    return store


def in_memory(_: Path) -> SeriesStore:
    return MemoryStore()


def embedded(path: Path) -> SeriesStore:
    return EmbeddedStore(path / "series.sqlite")


@pytest.mark.parametrize("make", [in_memory, embedded])
def test_histograms_appended_as_columns_are_queried(
    make: Callable[[Path], SeriesStore], tmp_path: Path
) -> None:
    store = counting(make(tmp_path))
    summed = first_of(store, 'sum(increase(latency{job=~"a|b"}[4m]))', 240_000)
    # In three minutes 3 and, across the restart, 1 + 1 + 1; a third more to the window's start.
    assert summed.positive == pytest.approx(((3 + 3) * 4 / 3, (6 + 6) * 4 / 3))
    assert summed.counter_reset is CounterReset.GAUGE
    store.close()


def test_what_rates_of_histograms_weigh_is_charged() -> None:
    store = counting(MemoryStore())
    query, span = "rate(latency[2m])", (120_000, 240_000, 1_000)
    Engine(store, max_samples=10_000).range("acme", query, *span)
    with pytest.raises(TooManySamplesError):
        Engine(store, max_samples=2_000).range("acme", query, *span)


def test_each_window_of_a_long_range_is_as_if_it_were_asked_alone() -> None:
    engine = Engine(counting(MemoryStore()))
    for query in ("rate(latency[150s])", "sum_over_time(latency[150s])", "sum(latency)"):
        whole = engine.range("acme", query, 0, 240_000, 30_000).value
        assert isinstance(whole, Matrix)
        for step, at in enumerate(whole.timestamps_ms.tolist()):
            alone = engine.range("acme", query, at, at, 1).value
            assert isinstance(alone, Matrix)
            used = np.flatnonzero(whole.present[:, step]).tolist()
            assert len(alone) == len(used)
            if whole.histograms is not None and alone.histograms is not None:
                assert alone.histograms[:, 0].tolist() == whole.histograms[used, step].tolist()


def test_series_of_mixed_layouts_give_what_equal_ones_do() -> None:
    fine = [exponential({1: at, 2: at, 3: at, 4: at}, schema=1) for at in range(1, 5)]
    coarse = [exponential({1: 2 * at, 2: 2 * at}) for at in range(1, 5)]
    mixed = [fine[0], fine[1], coarse[2], coarse[3]]
    expected = first_of(store_of(*coarse), "rate(latency[5m])", 180_000)
    found = first_of(store_of(*mixed), "rate(latency[5m])", 180_000)
    assert found == replace(expected, sum=found.sum)


@pytest.mark.parametrize(
    ("query", "remark"),
    [
        ("rate(latency[5m])", "warning: encountered a mix of histograms and floats for metric"),
        ("sum_over_time(latency[5m])", "warning: encountered a mix of histograms and floats"),
        ("max_over_time(latency[5m])", "info: ignored histograms in a range containing both"),
        ("deriv(latency[5m])", "info: ignored histograms in a range containing both"),
        ("max(latency)", "info: ignored histogram in max aggregation"),
        ("topk(1, latency)", "info: ignored histogram in topk aggregation"),
        ("quantile(0.5, latency)", "info: ignored histogram in quantile aggregation"),
        ("latency + 1", 'info: incompatible sample types encountered for binary operator "+"'),
        ("latency < bool latency", "info: incompatible sample types encountered for binary"),
        ("1 </ latency", 'binary operator "</": float </ histogram'),
    ],
)
def test_what_histograms_can_not_be_asked_is_remarked_on(query: str, remark: str) -> None:
    store = store_of(1.0, 2.0, HISTOGRAM, HISTOGRAM)
    result = Engine(store).instant("acme", query, 180_000)
    (text,) = result.warnings + result.infos
    assert remark in text


def test_kinds_that_do_not_go_together_are_left_out_with_a_warning() -> None:
    store = store_of(exponential({1: 1}), custom((1,), (1, 1)))
    result = Engine(store).instant("acme", "sum_over_time(latency[5m])", 60_000)
    assert isinstance(result.value, Vector)
    assert len(result.value) == 0
    assert "exponential and custom buckets schemas" in result.warnings[0]
    binary = Engine(store).instant("acme", "latency + latency offset 1m", 60_000)
    assert "incompatible bucket layout encountered for binary operator +" in binary.warnings[0]


def test_a_subquery_finds_restarts_by_comparison() -> None:
    told = [exponential({1: at}, hint=CounterReset.YES) for at in range(1, 6)]
    found = first_of(store_of(*told), "increase(latency[4m:1m])", 240_000)
    assert found.count == pytest.approx(4)


def test_functions_of_numbers_pass_over_histograms() -> None:
    for query in ("abs(latency)", "clamp(latency, 0, 1)", "round(latency)", "hour(latency)"):
        value = Engine(store_of(HISTOGRAM)).instant("acme", query, 0).value
        assert isinstance(value, Vector)
        assert len(value) == 0


def test_several_quantiles_carry_their_number_in_a_label() -> None:
    query = 'histogram_quantiles(latency, "q", 0.5, 1)'
    value = Engine(store_of(exponential({1: 2, 2: 2}))).instant("acme", query, 0).value
    assert isinstance(value, Vector)
    assert {one["q"]: number for one, number in zip(value.labels, value.values, strict=True)} == {
        "0.5": 2.0,
        "1.0": 4.0,
    }


@pytest.mark.parametrize(
    "shape",
    [
        'histogram_quantile(0.9, sum by (job) (rate(latency{job="$"}[5m]))) > #',
        'sum(rate(latency{job="$"}[5m]))',
        'histogram_count(sum_over_time(latency{job="$"}[5m])) > #',
        'histogram_fraction(0, 2, latency{job="$"}) > #',
        'latency{job="$"} > #',
        "latency > #",
        'latency{job="$"} * #',
        'avg(latency{job=~"a|$"}) / #',
        'latency{job="$"} - on (job) latency',
        'rate({job="$",__name__=~"latency|other"}[5m])',
        'count(latency{job="$"}) + changes(latency{job="$"}[5m])',
    ],
)
def test_queries_of_one_shape_are_answered_as_each_by_itself(shape: str) -> None:
    engine = Engine(counting(MemoryStore()))
    queries = [
        shape.replace("$", job).replace("#", f"{number}.5") for number, job in enumerate("abf")
    ]
    found = engine.batch("acme", queries, 240_000)
    for query, outcome in zip(queries, found, strict=True):
        alone = engine.instant("acme", query, 240_000)
        assert not isinstance(outcome, Exception)
        assert result_json(outcome) == result_json(alone)
        assert outcome.annotations == alone.annotations
