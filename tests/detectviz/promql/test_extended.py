"""Windows that look beyond their edges: ``anchored`` and ``smoothed``."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from detectviz.promql.engine import Engine
from detectviz.promql.errors import EvaluationError, ParseError
from detectviz.promql.formatting import format_expression
from detectviz.promql.parser import parse
from detectviz.promql.results import Matrix, Result, Vector
from detectviz.tsdb.histograms import CounterReset, Histogram
from detectviz.tsdb.interface import STALE_NAN, Sample
from tests.conformance.promql.store import MemoryStore

MAYBE = Sequence[float | Histogram | None]


def engine(values: MAYBE, *, name: str = "x_total", interval_s: int = 10) -> Engine:
    store = MemoryStore()
    labels = {"__name__": name}
    for index, value in enumerate(values):
        at = index * interval_s * 1000
        if isinstance(value, Histogram):
            store.append("acme", [Sample(labels, at, histogram=value)])
        elif value is not None:
            store.append("acme", [Sample(labels, at, value)])
    return Engine(store)


def number(result: Result) -> float | None:
    assert isinstance(result.value, Vector)
    return float(result.value.values[0]) if len(result.value.labels) else None


def ask(values: MAYBE, query: str, at_s: float) -> float | None:
    return number(engine(values).instant("acme", query, round(at_s * 1000)))


ANCHORED = "anchored modifier can only be used with: "
ANCHORED += "changes, delta, increase, rate, resets - not with "
UP = [0, 10, 20, 30, 40, 50]


@pytest.mark.parametrize(
    ("query", "at_s", "wanted"),
    [
        # The anchor is the sample at or before the start, however little of the window it covers.
        ("increase(x_total[15s] anchored)", 45, 10.0),  # (30, 45]: from 30 to 40
        ("increase(x_total[10s] anchored)", 45, 10.0),  # (35, 45]: from 30 to 40
        ("rate(x_total[10s] anchored)", 45, 1.0),
        ("delta(x_total[20s] anchored)", 50, 20.0),
        # Smoothed: what lies on the lines at both edges.
        ("increase(x_total[10s] smoothed)", 45, 10.0),
        ("increase(x_total[15s] smoothed)", 42, 15.0),
        ("rate(x_total[4s] smoothed)", 23, 1.0),
        ("delta(x_total[4s] smoothed)", 23, 4.0),
        # Nothing before the start: the first sample inside stands for it.
        ("increase(x_total[1m] anchored)", 30, 30.0),
        ("increase(x_total[1m] smoothed)", 25, 25.0),
        # Nothing after the end: the last sample inside stands for it.
        ("increase(x_total[20s] smoothed)", 60, 10.0),
        ("increase(x_total[20s] anchored)", 60, 10.0),
        # A window without a sample strictly inside, or beyond all of them.
        ("increase(x_total[2s] anchored)", 24, None),
        ("increase(x_total[5s] anchored)", 70, None),
        ("increase(x_total[5s] smoothed)", 70, None),
        ("increase(x_total[5s] smoothed)", -10, None),
        ("increase(x_total[10s] anchored offset 10s)", 55, 10.0),
        ("increase(x_total[10s] anchored @ 45)", 5000, 10.0),
        ("increase(x_total[10s] offset -10s smoothed)", 25, 10.0),
    ],
)
def test_edges_of_windows(query: str, at_s: float, wanted: float | None) -> None:
    assert ask(UP, query, at_s) == wanted


@pytest.mark.parametrize(
    ("query", "at_s", "wanted"),
    [
        # 0 10 | 4 9 14: a reset between 10 s and 20 s.
        ("increase(x_total[20s] anchored)", 30, 9.0),  # anchor 10, 4, 9
        ("increase(x_total[20s] smoothed)", 25, 9.0 + 1 - 2.5 - 1.0),
        ("delta(x_total[20s] anchored)", 30, -1.0),
        ("delta(x_total[10s] smoothed)", 15, 2.0),
        # Over the edge: the counter rises from zero between the samples.
        ("increase(x_total[10s] smoothed)", 25, 6.5 - 2.0),
        ("increase(x_total[10s] smoothed)", 15, (10 - 5) + 2.0),
        ("resets(x_total[10s] anchored)", 20, 1.0),
        ("resets(x_total[10s])", 20, 0.0),
        ("resets(x_total[10s] anchored)", 30, 0.0),
        ("changes(x_total[10s] anchored)", 40, 1.0),
        ("changes(x_total[10s])", 40, 0.0),
        ("changes(x_total[5s] anchored)", 48, None),
    ],
)
def test_counters_that_restart(query: str, at_s: float, wanted: float | None) -> None:
    if query == "increase(x_total[20s] smoothed)":
        wanted = (10 - 5) + 6.5  # at 5 s: 5, at 25 s: 6.5, the reset between is added
    found = ask([0, 10, 4, 9, 14], query, at_s)
    assert found == (wanted if wanted is None else pytest.approx(wanted))


def test_samples_are_looked_for_one_lookback_beyond_the_edges() -> None:
    values: MAYBE = [1.0, *[None] * 40, 5.0, *[None] * 40, 9.0]  # at 0, 410 and 820 s
    assert ask(values, "increase(x_total[1m] anchored)", 420) == 0.0
    assert ask(values, "increase(x_total[3m] anchored)", 420) == 4.0
    assert ask(values, "increase(x_total[3m] smoothed)", 420) == pytest.approx(4 - 4 * 240 / 410)
    assert ask(values, "increase(x_total[3m] smoothed)", 529) == pytest.approx(4 * 119 / 410)


def test_staleness_markers_are_passed_over() -> None:
    values: MAYBE = [0.0, 10.0, STALE_NAN, 30.0, STALE_NAN]
    assert ask(values, "x_total smoothed", 20) == 20.0
    assert ask(values, "x_total smoothed", 45) == 30.0
    assert ask(values, "increase(x_total[10s] smoothed)", 25) == 10.0


@pytest.mark.parametrize(
    ("at_s", "wanted"),
    [(0, 1.0), (5, 2.0), (10, 3.0), (12.5, 2.5), (20, 1.0), (320, 1.0), (320.5, None), (-1, None)],
)
def test_a_smoothed_vector_lies_on_the_line_between_two_samples(
    at_s: float, wanted: float | None
) -> None:
    assert ask([1.0, 3.0, 1.0], "x_total smoothed", at_s - (at_s == 320) * 0.001) == wanted


def test_a_smoothed_vector_needs_a_sample_before_and_tells_only_of_times_if_asked() -> None:
    values: MAYBE = [None, 3.0, 1.0]
    assert ask(values, "x_total smoothed", 5) is None
    assert ask(values, "timestamp(x_total smoothed)", 15) == 10.0
    assert ask(values, "x_total anchored", 15) == 3.0


def test_ranges_of_queries_are_smoothed_at_every_step() -> None:
    value = engine([0.0, 10.0, 0.0]).range("acme", "x_total smoothed", 0, 20_000, 5_000).value
    assert isinstance(value, Matrix)
    assert value.values.tolist() == [[0.0, 5.0, 10.0, 5.0, 0.0]]


def test_an_extended_range_shows_samples_at_both_edges() -> None:
    for query, wanted in (
        ("x_total[20s] anchored", {15_000: 10.0, 20_000: 20.0, 30_000: 30.0, 35_000: 30.0}),
        ("x_total[20s] smoothed", {15_000: 15.0, 20_000: 20.0, 30_000: 30.0, 35_000: 35.0}),
        ("x_total[20s] smoothed @ 900", {}),
    ):
        value = engine(UP).instant("acme", query, 35_000).value
        assert isinstance(value, Matrix)
        found = value.values[0].tolist() if len(value.labels) else []
        assert dict(zip(value.timestamps_ms.tolist(), found, strict=False)) == wanted


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("foo[5m:1m] anchored", "1:1: parse error: anchored modifier is not supported for subq"),
        ("(foo + bar) smoothed", "1:1: parse error: smoothed modifier not implemented"),
        ("foo anchored smoothed", "1:1: parse error: anchored and smoothed modifiers cannot be"),
        ("rate(foo[5m] smoothed anchored)", "1:6: parse error: anchored and smoothed modifiers"),
    ],
)
def test_misplaced_modifiers_are_refused(query: str, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(query)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "deriv(foo[5m] anchored)",
            ANCHORED + "deriv",
        ),
        (
            "sum(changes((foo[5m] smoothed)))",
            "smoothed modifier can only be used with: delta, increase, rate - not with changes",
        ),
    ],
)
def test_functions_that_know_no_extended_windows_say_which_do(query: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        engine(UP).instant("acme", query, 0)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "query",
    [
        "rate(foo[5m] anchored)",
        "foo smoothed @ 10.000 offset 5m",
        'increase(foo{a="b"}[5m] smoothed @ end() offset -1m)',
        "anchored + smoothed",
    ],
)
def test_modifiers_are_written_before_others(query: str) -> None:
    assert format_expression(parse(query)) == query


def histogram(count: float, hint: CounterReset = CounterReset.UNKNOWN) -> Histogram:
    return Histogram(
        count=count,
        sum=count * 2,
        schema=0,
        positive_spans=((0, 1),),
        positive=(count,),
        counter_reset=hint,
    )


def counted(values: MAYBE, query: str, at_s: float) -> float | None:
    return ask(values, f"histogram_count({query})", at_s)


@pytest.mark.parametrize(
    ("query", "at_s", "wanted"),
    [
        ("increase(x_total[10s] anchored)", 25, 10.0),
        ("increase(x_total[10s] smoothed)", 25, 10.0),
        ("rate(x_total[20s] smoothed)", 25, 1.0),
        ("increase(x_total[20s] anchored)", 40, 14.0),  # 20 30 | 4 and 14: 10 + 4 - 20 + 20
        ("increase(x_total[20s] smoothed)", 45, 2.0 + 4.0 + 5.0),
        ("x_total smoothed", 5, 5.0),
        ("x_total smoothed", 35, 2.0),  # restarted: rises from zero
        ("x_total smoothed", 55, 14.0),
    ],
)
def test_histograms_between_their_samples(query: str, at_s: float, wanted: float) -> None:
    values = [histogram(count) for count in (0.0, 10.0, 20.0, 30.0, 4.0, 14.0)]
    if query == "increase(x_total[20s] smoothed)":
        wanted = 5.0 + 9.0  # at 25 s: 25 of 30; at 45 s: 9, and 30 went away in between
    found = counted(values, query, at_s)
    assert found == pytest.approx(wanted)


def test_histograms_that_are_gauges_or_not_are_remarked_on() -> None:
    gauges = [histogram(count, CounterReset.GAUGE) for count in (1.0, 3.0, 2.0)]
    result = engine(gauges).instant("acme", "increase(x_total[10s] smoothed)", 15_000)
    assert result.warnings == (
        'PromQL warning: this native histogram metric is not a counter: "x_total" (1:10)',
    )
    assert counted(gauges, "delta(x_total[10s] smoothed)", 15) == pytest.approx(0.5)
    assert counted(gauges, "x_total smoothed", 15) == pytest.approx(2.5)
    counters = [histogram(count) for count in (1.0, 3.0)]
    result = engine(counters).instant("acme", "delta(x_total[10s] anchored)", 10_000)
    assert result.warnings == (
        'PromQL warning: this native histogram metric is not a gauge: "x_total" (1:7)',
    )


@pytest.mark.parametrize(
    ("query", "column"),
    [("x_total smoothed", 1), ("increase(x_total[10s] anchored)", 10)],
)
def test_floats_beside_histograms_give_nothing_but_a_warning(query: str, column: int) -> None:
    result = engine([histogram(1.0), 2.0, 3.0]).instant("acme", query, 15_000)
    assert number(result) is None
    mixed = "encountered a mix of histograms and floats for metric name"
    assert result.warnings == (f'PromQL warning: {mixed} "x_total" (1:{column})',)


def test_exponential_and_custom_buckets_have_nothing_between_them() -> None:
    gauge = histogram(1.0, CounterReset.GAUGE)
    custom = replace(gauge, schema=-53, custom_values=(1.0,))
    for query in ("x_total smoothed", "rate(x_total[10s] smoothed)", "rate(x_total[9s] anchored)"):
        result = engine([gauge, custom, gauge]).instant("acme", query, 15_000)
        assert number(result) is None
        assert "exponential and custom buckets" in result.warnings[0]


def test_a_range_of_histograms_can_not_be_shown_extended() -> None:
    for extension in ("anchored", "smoothed"):
        with pytest.raises(EvaluationError) as caught:
            engine([histogram(1.0)]).instant("acme", f"x_total[1m] {extension}", 0)
        assert str(caught.value) == f"{extension} modifier is not supported with histograms"


def test_undefined_values_stay_undefined() -> None:
    assert math.isnan(ask([1.0, math.nan, 3.0], "x_total smoothed", 15) or 0.0)
