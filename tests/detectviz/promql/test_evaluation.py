"""What happens to series that come, go, collide and meet."""

import math

import pytest

from detectviz.promql.engine import Engine
from detectviz.promql.errors import EvaluationError, TooManySamplesError
from detectviz.promql.functions_order import natural_key
from detectviz.promql.labels import format_labels
from detectviz.promql.results import Matrix, Vector
from tests.conformance.promql.script import read_series
from tests.conformance.promql.store import MemoryStore

STEP_MS = 600_000


def store_of(*lines: str) -> MemoryStore:
    store = MemoryStore()
    for line in lines:
        series = read_series(line)
        for index, point in enumerate(series.points):
            if isinstance(point, float):
                store.add("acme", series.labels, index * STEP_MS, point)
    return store


def rows(store: MemoryStore, query: str, steps: int = 3) -> dict[str, list[float | None]]:
    value = Engine(store).range("acme", query, 0, (steps - 1) * STEP_MS, STEP_MS).value
    assert isinstance(value, Matrix)
    return {
        format_labels(labels): [
            number if there else None
            for number, there in zip(numbers.tolist(), present.tolist(), strict=True)
        ]
        for labels, numbers, present in zip(value.labels, value.values, value.present, strict=True)
    }


def ordered(store: MemoryStore, query: str) -> list[str]:
    value = Engine(store).instant("acme", query, 0).value
    assert isinstance(value, Vector)
    return [format_labels(labels) for labels in value.labels]


CHURN = ('a{x="1"} 1 2 3', 'b{x="1",pod="old"} 10 _ _', 'b{x="1",pod="new"} _ 20 30')


def test_a_replaced_partner_continues_the_same_result() -> None:
    assert rows(store_of(*CHURN), "a * on(x) b") == {'{x="1"}': [10.0, 40.0, 90.0]}


def test_group_right_keeps_the_labels_of_the_right_side_and_the_value_of_the_left() -> None:
    found = rows(store_of(*CHURN), "a < on(x) group_right() b")
    assert found == {
        'b{pod="new", x="1"}': [None, 2.0, 3.0],
        'b{pod="old", x="1"}': [1.0, None, None],
    }


def test_partners_that_overlap_in_time_are_refused_only_while_they_do() -> None:
    store = store_of('a{x="1"} 1 2', 'b{x="1",pod="p"} 1 _', 'b{x="1",pod="q"} 1 1')
    assert Engine(store).instant("acme", "a * on(x) b", STEP_MS).value
    with pytest.raises(EvaluationError, match="duplicate series for the match group"):
        rows(store, "a * on(x) b", 2)


def test_set_operators_decide_step_by_step() -> None:
    store = store_of('a{x="1"} 1 _ 3', 'b{x="1"} _ 20 30')
    assert rows(store, "a and b") == {'a{x="1"}': [None, None, 3.0]}
    assert rows(store, "a unless b") == {'a{x="1"}': [1.0, None, None]}
    assert rows(store, "a or b") == {
        'a{x="1"}': [1.0, None, 3.0],
        'b{x="1"}': [None, 20.0, None],
    }


def test_a_quantile_uses_the_buckets_that_are_there_at_each_step() -> None:
    store = store_of(
        'h_bucket{le="1"} 0 0 _', 'h_bucket{le="2"} 10 _ 10', 'h_bucket{le="+Inf"} 10 10 10',
    )  # fmt: skip
    found = rows(store, "histogram_quantile(0.5, h_bucket)")
    assert found == {"{}": [1.5, 1.0, 1.0]}


def test_a_histogram_without_an_infinite_bucket_has_no_quantile() -> None:
    store = store_of('h_bucket{le="1"} 1', 'h_bucket{le="2"} 2')
    (values,) = rows(store, "histogram_quantile(0.5, h_bucket)", 1).values()
    assert values[0] is not None
    assert math.isnan(values[0])


def test_labels_made_equal_are_refused() -> None:
    store = store_of('a{x="1"} 1', 'a{x="2"} 1')
    with pytest.raises(EvaluationError, match="same labelset"):
        rows(store, 'label_replace(a, "x", "", "", "")')


@pytest.mark.parametrize(
    ("template", "wanted"),
    [("$1-$2", "api-7"), ("${1}x", "apix"), ("$1x", ""), ("$num", "7"), ("$$", "$"), ("$9", "")],
)
def test_templates_expand_as_in_go(template: str, wanted: str) -> None:
    store = store_of('a{pod="api-7"} 1')
    query = f'label_replace(a, "new", "{template}", "pod", "(\\\\w+)-(?P<num>\\\\d)")'
    value = Engine(store).instant("acme", query, 0).value
    assert isinstance(value, Vector)
    assert value.labels[0].get("new", "") == wanted


def test_labels_sort_naturally() -> None:
    store = store_of(*(f'a{{node="n{number}"}} 1' for number in (10, 9, 100, 1)))
    found = ordered(store, 'sort_by_label_desc(a, "node")')
    assert found == [f'a{{node="n{number}"}}' for number in (100, 10, 9, 1)]
    assert natural_key("a2b") < natural_key("a10a")


def test_sorting_puts_nan_last_both_ways() -> None:
    store = store_of('a{x="n"} NaN', 'a{x="1"} 1', 'a{x="2"} 2')
    assert [one[5] for one in ordered(store, "sort(a)")] == ["1", "2", "n"]
    assert [one[5] for one in ordered(store, "sort_desc(a)")] == ["2", "1", "n"]


def test_info_labels_follow_the_series_that_holds_them_at_each_step() -> None:
    store = store_of(
        'a{instance="x",job="j"} 1 2 3',
        'target_info{instance="x",job="j",version="1"} 1 _ _',
        'target_info{instance="x",job="j",version="2"} _ 1 _',
    )
    assert rows(store, "info(a)") == {
        'a{instance="x", job="j"}': [None, None, 3.0],
        'a{instance="x", job="j", version="1"}': [1.0, None, None],
        'a{instance="x", job="j", version="2"}': [None, 2.0, None],
    }
    assert len(rows(store, 'info(a, {version=~".+"})')) == 2


@pytest.mark.parametrize(
    "query",
    ["vector(1)[100y:1ms]", "sum_over_time(vector(1)[100y:1ms])", "max_over_time(a[50y:1s])"],
)
def test_a_subquery_of_too_many_steps_is_refused_at_once(query: str) -> None:
    with pytest.raises(TooManySamplesError):
        Engine(store_of("a 1")).instant("acme", query, STEP_MS)


def test_dates_are_read_in_utc() -> None:
    leap_day_s = 1_709_164_799  # 2024-02-28 23:59:59
    store = store_of(f"a {leap_day_s} {leap_day_s + 1} -1")
    expected = {
        "year": [2024.0, 2024.0, 1969.0], "month": [2.0, 2.0, 12.0],
        "day_of_month": [28.0, 29.0, 31.0], "day_of_week": [3.0, 4.0, 3.0],
        "day_of_year": [59.0, 60.0, 365.0], "days_in_month": [29.0, 29.0, 31.0],
        "hour": [23.0, 0.0, 23.0], "minute": [59.0, 0.0, 59.0],
    }  # fmt: skip
    for name, wanted in expected.items():
        assert rows(store, f"{name}(a)") == {"{}": wanted}


def test_a_rate_of_what_is_named_no_counter_gives_a_note() -> None:
    result = Engine(store_of("a 1 2", "b_total 1 2")).instant("acme", "rate(a[1h])", STEP_MS)
    ending = "name does not end in _total/_sum/_count/_bucket"
    assert result.infos == (f'PromQL info: metric might not be a counter, {ending}: "a" (1:6)',)
    assert not Engine(store_of("b_total 1 2")).instant("acme", "rate(b_total[1h])", 1).infos


@pytest.mark.parametrize(
    ("matchers", "labels"),
    [
        ('job="a"', {"job": "a"}),
        ('job!="b", job="a"', {"job": "a"}),
        ('job="a", job!="b"', {}),
        ('job="a", job="b"', {}),
    ],
)
def test_absence_has_the_labels_asked_for_last_and_once(
    matchers: str, labels: dict[str, str]
) -> None:
    value = Engine(MemoryStore()).instant("acme", f"absent(nothing{{{matchers}}})", 0).value
    assert isinstance(value, Vector)
    assert value.labels == (labels,)
