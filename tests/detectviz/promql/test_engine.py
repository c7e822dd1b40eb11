"""The engine answers as Prometheus would, within its limits."""

from collections.abc import Callable

import numpy as np
import pytest

from detectviz.promql.engine import Engine
from detectviz.promql.errors import (
    EvaluationError,
    ParseError,
    QueryCancelledError,
    QueryTimeoutError,
    TooManySamplesError,
)
from detectviz.promql.limits import CancellationToken
from detectviz.promql.results import Matrix, Scalar, String, Vector
from detectviz.tsdb.interface import STALE_NAN
from tests.conformance.promql.store import MemoryStore

MINUTE_MS = 60_000


def filled(steps: int = 61) -> MemoryStore:
    store = MemoryStore()
    for job, slope in (("api", 1.0), ("db", 2.0)):
        for instance in ("0", "1"):
            labels = {"__name__": "hits_total", "job": job, "instance": instance}
            for index in range(steps):
                store.add("acme", labels, index * MINUTE_MS, slope * 60 * index)
    return store


def vector(engine: Engine, query: str, at_ms: int = 30 * MINUTE_MS) -> dict[str, float]:
    value = engine.instant("acme", query, at_ms).value
    assert isinstance(value, Vector)
    keys = [",".join(f"{k}={v}" for k, v in sorted(one.items())) for one in value.labels]
    return dict(zip(keys, value.values.tolist(), strict=True))


def test_a_rate_summed_by_label_gives_one_series_per_value() -> None:
    found = vector(Engine(filled()), "sum by (job) (rate(hits_total[5m]))")
    assert found == {"job=api": pytest.approx(2.0), "job=db": pytest.approx(4.0)}


def test_a_range_query_gives_a_matrix_ordered_by_labels() -> None:
    value = Engine(filled()).range("acme", "hits_total", 0, 10 * MINUTE_MS, MINUTE_MS).value
    assert isinstance(value, Matrix)
    assert [one["job"] for one in value.labels] == ["api", "db", "api", "db"]
    assert value.values.shape == (4, 11)
    assert value.present.all()


def test_scalars_and_strings_keep_their_kind() -> None:
    engine = Engine(MemoryStore())
    assert engine.instant("acme", "1 + 2 * 3", 5_000).value == Scalar(timestamp_ms=5000, value=7.0)
    assert engine.instant("acme", '"x"', 0).value == String(timestamp_ms=0, value="x")


def test_a_series_disappears_at_its_stale_marker_and_when_it_is_five_minutes_old() -> None:
    store = MemoryStore()
    store.add("acme", {"__name__": "up", "job": "gone"}, 0, 1.0)
    store.add("acme", {"__name__": "up", "job": "gone"}, MINUTE_MS, STALE_NAN)
    store.add("acme", {"__name__": "up", "job": "old"}, 0, 1.0)
    engine = Engine(store)
    assert len(vector(engine, "up", 59_999)) == 2
    assert vector(engine, "up", MINUTE_MS) == {"__name__=up,job=old": 1.0}
    assert vector(engine, "up", 300_000) == {}


def test_only_the_named_tenant_is_read() -> None:
    store = filled()
    store.add("other", {"__name__": "hits_total"}, 0, 1.0)
    query = "sum_over_time(hits_total[5m:1m]) + on() group_left() count(hits_total @ 60)"
    Engine(store).instant("acme", query, 30 * MINUTE_MS)
    assert {tenant for tenant, *_ in store.selected} == {"acme"}


def test_an_ambiguous_match_is_refused_in_prometheus_words() -> None:
    engine = Engine(filled())
    with pytest.raises(EvaluationError, match="found duplicate series for the match group") as one:
        engine.instant("acme", "hits_total * on(job) hits_total", 30 * MINUTE_MS)
    assert 'group {job="api"} on the right hand-side' in str(one.value)
    with pytest.raises(EvaluationError, match="multiple matches for labels: many-to-one"):
        engine.instant("acme", "hits_total * on(job) sum by (job)(hits_total)", 30 * MINUTE_MS)


def test_an_include_label_comes_from_the_one_side() -> None:
    store = filled()
    store.add("acme", {"__name__": "owner", "job": "api", "team": "web"}, 30 * MINUTE_MS, 1.0)
    found = vector(Engine(store), "hits_total * on(job) group_left(team) owner")
    assert set(found) == {f"instance={n},job=api,team=web" for n in "01"}


def test_too_many_samples_are_refused() -> None:
    with pytest.raises(TooManySamplesError, match="too many samples into memory"):
        Engine(filled(), max_samples=100).instant("acme", "rate(hits_total[1h])", 3_600_000)


def test_a_query_past_its_deadline_is_stopped() -> None:
    with pytest.raises(QueryTimeoutError):
        Engine(filled(), timeout_s=-1.0).instant("acme", "hits_total", 0)


def test_a_cancelled_query_is_stopped() -> None:
    token = CancellationToken()
    token.cancel()
    with pytest.raises(QueryCancelledError):
        Engine(filled()).instant("acme", "hits_total", 0, token=token)


@pytest.mark.parametrize(
    "run",
    [
        lambda engine: engine.range("acme", "up", 0, 1000, 0),
        lambda engine: engine.range("acme", "up", 1000, 0, 15),
        lambda engine: engine.range("acme", "up", 0, 11_001_000, 1000),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(run: Callable[[Engine], object]) -> None:
    with pytest.raises(EvaluationError):
        run(Engine(filled()))


def test_a_range_query_of_a_range_vector_is_refused() -> None:
    with pytest.raises(ParseError, match='invalid expression type "range vector"'):
        Engine(filled()).range("acme", "hits_total[5m]", 0, 60_000, 60_000)


def test_annotations_carry_their_position() -> None:
    result = Engine(filled()).instant("acme", "sum(quantile(\n 2, hits_total))", 60_000)
    assert result.warnings == (
        "PromQL warning: quantile value should be between 0 and 1, got 2 (2:2)",
    )


def test_a_window_may_depend_on_the_step_of_the_query() -> None:
    engine = Engine(filled())
    value = engine.range("acme", "count_over_time(hits_total[step() * 2])", 0, 3_600_000, 300_000)
    assert isinstance(value.value, Matrix)
    assert value.value.values[0].tolist() == [1.0, 6.0, *[10.0] * 11]
    with pytest.raises(ParseError, match="duration must be greater than 0"):
        engine.instant("acme", "count_over_time(hits_total[step()])", 0)


def test_a_missing_side_is_filled_step_by_step() -> None:
    store = MemoryStore()
    store.add("acme", {"__name__": "a", "x": "1"}, 0, 5.0)
    store.add("acme", {"__name__": "b", "x": "1"}, 600_000, 7.0)
    value = Engine(store).range("acme", "a - fill(1) b", 0, 600_000, 600_000).value
    assert isinstance(value, Matrix)
    assert (value.labels, value.values.tolist()) == (({"x": "1"},), [[4.0, -6.0]])


def test_counting_values_under_a_label_of_the_grouping_counts_all() -> None:
    store = MemoryStore()
    for index in range(3):
        store.add("acme", {"__name__": "v", "job": str(index)}, 0, 4.0)
    found = vector(Engine(store), 'count_values by (job) ("job", v)', 0)
    assert found == {"job=4": 3.0}


def test_a_chain_too_long_to_evaluate_is_refused_not_a_crash() -> None:
    with pytest.raises((EvaluationError, ParseError), match="nested too deeply"):
        Engine(filled()).instant("acme", " + ".join(["hits_total"] * 5000), 0)


def test_raw_ranges_exclude_their_start() -> None:
    value = Engine(filled()).instant("acme", "hits_total[2m]", 10 * MINUTE_MS).value
    assert isinstance(value, Matrix)
    assert value.timestamps_ms.tolist() == [9 * MINUTE_MS, 10 * MINUTE_MS]
    assert np.array_equal(value.values[0], [540.0, 600.0])
