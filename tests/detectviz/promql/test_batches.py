"""Many queries answered together: the same as each by itself."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectviz.promql.batches import batch_plan
from detectviz.promql.engine import Engine
from detectviz.promql.errors import EvaluationError, QueryCancelledError, TooManySamplesError
from detectviz.promql.labels import label_key
from detectviz.promql.limits import CancellationToken
from detectviz.promql.results import Result, Scalar, Vector
from detectviz.tsdb.interface import STALE_NAN
from tests.conformance.promql.store import MemoryStore
from tests.detectviz.promql.expressions import NUMBERS, vectors

AT_MS = 1_500_000
RELAXED = settings(max_examples=150, suppress_health_check=list(HealthCheck))


def irregular_store() -> MemoryStore:
    random = np.random.default_rng(11)
    store = MemoryStore()
    for name in ("foo", "bar_total", "hist_bucket"):
        for job in "ab":
            for instance in "abc":
                labels = {"__name__": name, "job": job, "instance": instance}
                if name == "hist_bucket":
                    labels |= {"le": {"a": "1", "b": "5", "c": "+Inf"}[instance], "instance": "h"}
                total = 0.0
                for index, at in enumerate(np.unique(random.integers(0, 1_600_000, 60)).tolist()):
                    total = 0.0 if random.random() < 0.05 else total + random.random() * 7
                    store.add("acme", labels, at, STALE_NAN if index % 19 == 7 else total - 2)
    return store


STORE = irregular_store()
ENGINE = Engine(STORE)

LITERAL = st.sampled_from(["a", "b", "c", "h", "none", "", "a.b"])
SHAPES = st.sampled_from(
    [
        'foo{instance="$"} > #',
        'foo{job="$",instance="$"} * # - #',
        'rate(bar_total{instance="$"}[5m]) > #',
        'increase(foo{job="$"}[10m]) >= bool #',
        'sum by (job) (rate(bar_total{instance="$"}[5m])) > #',
        'sum without (instance) (foo{job="$"}) / # ',
        'sum(foo{job="$"}) + -#',
        "foo > #",
        "# < foo",
        "foo + #",
        "rate(bar_total[5m]) > bool #",
        'absent(foo{instance="$",job="$"})',
        'absent_over_time(foo{instance="$"}[90s]) > #',
        'foo{job="$"} / on (instance) group_left bar_total > #',
        'foo{job="$"} / on (instance) bar_total{job="$"} > #',
        'foo{instance="$"} and bar_total{instance="$"} > #',
        'foo{instance="$"} unless on (job) bar_total > #',
        'foo{instance="$"} or vector(#)',
        'foo or foo{job="$"} * #',
        'max_over_time(foo{instance="$"}[5m:1m] offset 1m) > #',
        'max_over_time((foo{instance="$"} > #)[5m:1m])',
        'histogram_quantile(0.9, rate(hist_bucket{job="$"}[10m])) > #',
        'quantile_over_time(2, foo{job="$"}[5m]) > #',
        'label_replace(foo{job="$"}, "instance", "x", "", "") > #',
        'topk(1, foo{job="$"}) > #',
        'sort_desc(foo{job="$"} > #)',
        'scalar(foo{job="$",instance="a"}) > bool #',
        'clamp_max(foo{job="$"}, #)',
        'timestamp(foo{job="$"}) - time() < -#',
        'count_values("v", foo{job="$"})',
        '{job="$",__name__=~"foo|bar_total"} > #',
        'rate({job="$",__name__=~"foo|bar_total"}[5m])',
        'deriv(foo{instance="$"}[5m]) or predict_linear(foo{instance="$"}[5m], 60) > #',
        "# + #",
        "vector(#) > 3",
        'foo{instance="$"}[5m]',
        'foo{instance!="$"} > #',
        'avg(foo{job="$"}) without (instance',
        '-foo{job="$"} != #',
        'hour(foo{job="$"}) > # or minute() > #',
        'foo{instance="$"} @ 1200 offset -30s',
    ]
)


@st.composite
def rules(draw: st.DrawFn) -> list[str]:
    found: list[str] = []
    for shape in draw(st.lists(SHAPES, min_size=1, max_size=4)):
        for _ in range(draw(st.integers(1, 5))):
            text = shape
            while "$" in text:
                text = text.replace("$", draw(LITERAL), 1)
            while "#" in text:
                text = text.replace("#", draw(NUMBERS), 1)
            found.append(" " * draw(st.integers(0, 2)) + text)
    return draw(st.permutations([*found, *draw(st.lists(vectors(), max_size=2))]))


def shown(outcome: object) -> object:
    """Return an outcome as something to compare: bits of values, order, texts, errors."""
    if isinstance(outcome, Exception):
        return type(outcome), str(outcome)
    assert isinstance(outcome, Result)
    value = outcome.value
    if isinstance(value, Scalar):
        return repr(value.value), outcome.annotations
    labels = [label_key(one) for one in value.labels]  # type: ignore[union-attr]  # no strings here
    return type(value), labels, value.values.tobytes(), outcome.annotations  # type: ignore[union-attr]  # ditto


def alone(query: str, engine: Engine = ENGINE) -> object:
    try:
        return engine.instant("acme", query, AT_MS)
    except Exception as error:  # noqa: BLE001 - what a query raises is its outcome
        return error


@RELAXED
@given(rules())
def test_a_batch_answers_what_each_query_answers_alone(queries: list[str]) -> None:
    found = ENGINE.batch("acme", queries, AT_MS)
    assert [shown(one) for one in found] == [shown(alone(one)) for one in queries]


def counting() -> tuple[MemoryStore, Engine]:
    store = MemoryStore()
    for number in range(20):
        labels = {"__name__": "up", "instance": f"10.0.0.{number}:9100"}
        for at in range(0, 300_001, 15_000):
            store.add("acme", labels, at, float(number))
    return store, Engine(store, max_samples=500)


def elements(outcome: object) -> list[tuple[str, float]]:
    assert isinstance(outcome, Result), outcome
    assert isinstance(outcome.value, Vector)
    names = [labels["instance"] for labels in outcome.value.labels]
    return list(zip(names, outcome.value.values.tolist(), strict=True))


def test_queries_of_one_shape_read_once_for_all() -> None:
    store, engine = counting()
    plan = batch_plan([f'up{{instance="10.0.0.{n}:9100"}} >= {n % 2 * n}' for n in range(20)])
    for _ in range(2):
        store.selected.clear()
        found = engine.batch("acme", plan, 300_000)
        assert [elements(one) for one in found] == [
            [(f"10.0.0.{n}:9100", float(n))] for n in range(20)
        ]
        assert len(store.selected) == 1


def test_queries_that_differ_share_what_they_read() -> None:
    store, engine = counting()
    found = engine.batch("acme", ["up > 18", "avg_over_time(up[2m]) < 1", "sum(up)"], 300_000)
    assert elements(found[0]) == [("10.0.0.19:9100", 19.0)]
    assert elements(found[1]) == [("10.0.0.0:9100", 0.0)]
    assert len(store.selected) == 1


def test_a_query_that_fails_fails_alone() -> None:
    _, engine = counting()
    ambiguous = 'up{{instance=~"10.*"}} * on (job) up{{instance="10.0.0.{}:9100"}} > {}'
    queries = [f'up{{instance="10.0.0.{n}:9100"}} + on (instance) up > 0' for n in range(5)]
    queries += [ambiguous.format(1, 2), "up >", 'sum(up{instance="a"})']
    found = engine.batch("acme", queries, 300_000)
    assert [isinstance(one, Exception) for one in found] == [False] * 5 + [True, True, False]


def test_a_member_of_a_shape_that_fails_leaves_the_others_their_answers() -> None:
    _, engine = counting()
    # Two series of equal labels once the instance is gone: only where both are asked for.
    text = 'label_replace(up{{job="{}"}}, "instance", "x", "", "")'
    queries = [text.format(job) for job in ("a", "", "b", "c")]
    plan = batch_plan(queries)
    for _ in range(3):
        found = engine.batch("acme", plan, 300_000)
        assert [type(one) for one in found] == [Result, EvaluationError, Result, Result]


def test_the_limit_on_samples_is_each_querys_own() -> None:
    _, engine = counting()
    queries = [f'up{{instance="10.0.0.{n}:9100"}} offset {n}s > 0' for n in range(20)]
    queries += [f"max_over_time(up[1h]) > {n}" for n in range(2)]
    queries += [f'sum_over_time(up{{instance="10.0.0.{n}:9100"}}[5m]) > 0' for n in range(20)]
    small = Engine(engine.store, max_samples=60)
    found = small.batch("acme", queries, 300_000)
    for outcome, query in zip(found, queries, strict=True):
        assert shown(outcome) == shown(alone_at(small, query))
    assert isinstance(found[20], TooManySamplesError)
    assert isinstance(found[-1], Result)


def alone_at(engine: Engine, query: str) -> object:
    try:
        return engine.instant("acme", query, 300_000)
    except EvaluationError as error:
        return error


def test_a_batch_can_be_cancelled() -> None:
    _, engine = counting()
    token = CancellationToken()
    token.cancel()
    found = engine.batch("acme", ["up > 1", "up > 2", "sum(up)"], 300_000, token=token)
    assert {type(one) for one in found} == {QueryCancelledError}


@pytest.mark.parametrize("other", ["globex", "acme2"])
def test_a_batch_reads_its_own_tenant_only(other: str) -> None:
    store, engine = counting()
    store.add(other, {"__name__": "up", "instance": "x"}, 300_000, 99.0)
    found = engine.batch(other, ["up > 1", "up > 2", "up > 100"], 300_000)
    assert [elements(one) for one in found] == [[("x", 99.0)], [("x", 99.0)], []]


def test_old_samples_are_asked_for_with_hints_and_not_shared() -> None:
    store, engine = counting()
    at_ms = 300_000 + 7_200_000
    queries = ["up offset 2h > 18", "sum(up offset 2h)", "sum(max_over_time(up[3h]))"]
    found = engine.batch("acme", queries, at_ms)
    assert [shown(one) for one in found] == [
        shown(engine.instant("acme", query, at_ms)) for query in queries
    ]
    assert len(store.selected) == 6
