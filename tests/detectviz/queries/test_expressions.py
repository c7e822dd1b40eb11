"""Reduce, resample, threshold and classic conditions."""

import math
from typing import Any

import pytest

from detectviz.contracts.datasource import TimeRange
from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.queries.errors import ExpressionError
from detectviz.queries.expressions.commands import read_command
from detectviz.queries.expressions.conversion import frames_of, values_of
from detectviz.queries.expressions.ordering import ordered
from detectviz.queries.expressions.values import Value, no_data, number, scalar, series

RESAMPLE = {
    "type": "resample",
    "expression": "$A",
    "window": "2s",
    "downsampler": "mean",
    "upsampler": "pad",
}
OVER_3 = {"evaluator": {"type": "gt", "params": [3]}}
LACKING = {"evaluator": {"type": "within_range", "params": [1]}}
SUM = {"type": "reduce", "expression": "A", "reducer": "sum"}
BY_TEXT = {"mode": "replaceNN", "replaceWithValue": "1"}
SPAN = TimeRange(start_ms=0, end_ms=10_000)
NAN = float("nan")
GAPS = series([0, 1, 2, 3], [4.0, None, NAN, 2.0], {"h": "x"})


def run(model: dict[str, Any], **inputs: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    given = {name: (each if isinstance(each, tuple) else (each,)) for name, each in inputs.items()}
    return read_command(model, SPAN).run(given)


def reduced(reducer: str, value: Value, mode: str = "strict", by: float = 0) -> float | None:
    settings = {"mode": mode, "replaceWithValue": by}
    model = {"type": "reduce", "expression": "$A", "reducer": reducer, "settings": settings}
    return run(model, A=value)[0].one()


@pytest.mark.parametrize(
    ("reducer", "strict", "dropped", "replaced"),
    [
        ("sum", NAN, 6, 26),
        ("mean", NAN, 3, 6.5),
        ("min", NAN, 2, 2),
        ("max", NAN, 4, 10),
        ("median", NAN, 3, 7),
        ("count", 4, 2, 4),
        ("last", 2, 2, 2),
        ("first", 4, 4, 4),
        ("diff", NAN, -2, -2),
    ],
)
def test_reducers_in_every_mode(
    reducer: str, strict: float, dropped: float, replaced: float
) -> None:
    assert reduced(reducer, GAPS) == pytest.approx(strict, nan_ok=True)
    assert reduced(reducer, GAPS, "dropNN") == dropped
    assert reduced(reducer, GAPS, "replaceNN", 10) == replaced


def test_the_last_point_may_be_null() -> None:
    assert reduced("last", series([0, 1], [1.0, None])) is None


@pytest.mark.parametrize(
    ("reducer", "expected"), [("sum", 0), ("count", 0), ("mean", NAN), ("last", NAN), ("min", NAN)]
)
def test_an_empty_series_reduces_as_grafanas_does(reducer: str, expected: float) -> None:
    empty = series([], [])
    assert reduced(reducer, empty) == pytest.approx(expected, nan_ok=True)
    wanted = None if math.isnan(expected) else expected
    assert reduced(reducer, empty, "dropNN") == wanted
    assert reduced(reducer, empty, "replaceNN", 7) == (7 if wanted is None else wanted)


def test_numbers_pass_through_with_a_notice_and_no_data_stays() -> None:
    model = {"type": "reduce", "expression": "A", "reducer": "sum"}
    first, second = run(model, A=(number(1, {"h": "x"}), no_data()))
    assert first.one() == 1
    assert "not needed" in first.notices[0].text
    assert second.is_no_data


def test_dropping_leaves_out_numbers_that_are_none() -> None:
    model = {"type": "reduce", "expression": "A", "reducer": "sum", "settings": {"mode": "dropNN"}}
    assert run(model, A=(number(None), number(NAN))) == ()


def test_resampling_down_takes_what_came_since_the_point_before() -> None:
    model = {**RESAMPLE, "window": "5s", "downsampler": "sum", "upsampler": "fillna"}
    (value,) = run(model, A=series([0, 1000, 5000, 5001, 10_000], [1.0, 2.0, 3.0, 4.0, 5.0]))
    assert value.times.tolist() == [0, 5000, 10_000]
    assert value.points() == [1, 5, 9]


@pytest.mark.parametrize(
    ("upsampler", "expected"),
    [
        ("pad", [None, 7, 7, 9, 9, 9]),
        ("backfilling", [7, 7, 9, 9, None, None]),
        ("fillna", [None, 7, None, 9, None, None]),
    ],
)
def test_resampling_up_fills_as_told(upsampler: str, expected: list[float | None]) -> None:
    model = {**RESAMPLE, "upsampler": upsampler}
    (value,) = run(model, A=series([2000, 6000], [7.0, 9.0]))
    assert value.points() == expected


def test_resampling_refuses_numbers_and_windows_longer_than_the_range() -> None:
    with pytest.raises(ExpressionError, match="can only resample series"):
        run(RESAMPLE, A=number(1))
    with pytest.raises(ExpressionError, match="shorter than the window"):
        run({**RESAMPLE, "window": "1h"}, A=GAPS)
    long = read_command({**RESAMPLE, "window": "1ms"}, TimeRange(start_ms=0, end_ms=10**9))
    with pytest.raises(ExpressionError, match="too small"):
        long.run({"A": (GAPS,)})
    assert run(RESAMPLE, A=no_data())[0].is_no_data


@pytest.mark.parametrize(
    ("type_", "params", "expected"),
    [
        ("gt", [3], [0, 0, 0, 1, 1]),
        ("lt", [3], [1, 1, 0, 0, 0]),
        ("eq", [3], [0, 0, 1, 0, 0]),
        ("ne", [3], [1, 1, 0, 1, 1]),
        ("gte", [3], [0, 0, 1, 1, 1]),
        ("lte", [3], [1, 1, 1, 0, 0]),
        ("within_range", [2, 4], [0, 0, 1, 0, 0]),
        ("outside_range", [2, 4], [1, 0, 0, 0, 1]),
        ("within_range_included", [2, 4], [0, 1, 1, 1, 0]),
        ("outside_range_included", [2, 4], [1, 1, 0, 1, 1]),
    ],
)
def test_thresholds(type_: str, params: list[float], expected: list[float]) -> None:
    evaluator = {"type": type_, "params": params}
    model = {"type": "threshold", "expression": "A", "conditions": [{"evaluator": evaluator}]}
    (value,) = run(model, A=series([1, 2, 3, 4, 5], [1.0, 2.0, 3.0, 4.0, 5.0]))
    assert value.points() == expected


def test_a_threshold_keeps_null_and_no_data_and_nan_is_never_over_it() -> None:
    model = {"type": "threshold", "expression": "A", "conditions": [OVER_3]}
    (value,) = run(model, A=GAPS)
    assert value.points() == [1, None, 0, 0]
    assert run(model, A=no_data())[0].is_no_data


def test_recovery_holds_what_was_over_the_threshold() -> None:
    condition = {
        "evaluator": {"type": "gt", "params": [80]},
        "unloadEvaluator": {"type": "lt", "params": [60]},
        "loadedDimensions": [{"host": "loaded"}, {"host": "gone"}],
    }
    model = {"type": "threshold", "expression": "A", "conditions": [condition]}
    values = (
        number(70, {"host": "loaded"}),
        number(70, {"host": "fresh"}),
        number(90, {"host": "high"}),
    )
    found = {each.labels["host"]: each.one() for each in run(model, A=values)}
    assert found == {"loaded": 1, "fresh": 0, "high": 1}
    assert run(model, A=number(50, {"host": "loaded"}))[0].one() == 0
    (value,) = run(model, A=(no_data(), no_data()))
    assert value.is_no_data


def classic(*conditions: tuple[str, str, str, list[float], str]) -> dict[str, Any]:
    return {
        "type": "classic_conditions",
        "conditions": [
            {
                "query": {"params": [ref]},
                "reducer": {"type": reducer},
                "evaluator": {"type": evaluator, "params": params},
                "operator": {"type": operator},
            }
            for ref, reducer, evaluator, params, operator in conditions
        ],
    }


@pytest.mark.parametrize(
    ("reducer", "expected"),
    [
        ("avg", 3), ("sum", 6), ("min", 2), ("max", 4), ("count", 4), ("last", 2), ("median", 3),
        ("diff", -2), ("diff_abs", 2), ("percent_diff", -50), ("percent_diff_abs", 50),
        ("count_non_null", 2),
    ],
)  # fmt: skip
def test_classic_reducers_skip_null_and_nan(reducer: str, expected: float) -> None:
    (value,) = run(classic(("A", reducer, "eq", [expected], "and")), A=GAPS)
    assert value.one() == 1
    assert value.meta["matches"] == [{"metric": "", "value": expected, "labels": {"h": "x"}}]


def test_classic_conditions_are_joined_from_the_left() -> None:
    high, low = series([1], [9.0]), series([1], [1.0])
    both = classic(("A", "last", "gt", [5], "and"), ("B", "last", "gt", [5], "and"))
    either = classic(("A", "last", "gt", [5], "and"), ("B", "last", "gt", [5], "or"))
    assert run(both, A=high, B=low)[0].one() == 0
    assert run(either, A=high, B=low)[0].one() == 1


def test_classic_conditions_fire_when_any_series_does() -> None:
    many = (series([1], [1.0], {"h": "a"}), series([1], [9.0], {"h": "b"}))
    (value,) = run(classic(("A", "max", "gt", [5], "and")), A=many)
    assert value.one() == 1
    assert value.meta["matches"] == [{"metric": "", "value": 9, "labels": {"h": "b"}}]


def test_no_data_makes_a_classic_condition_null() -> None:
    model = classic(("A", "last", "gt", [5], "and"))
    for nothing in ((), (no_data(),), (series([], []),), (series([1], [None]),), (number(None),)):
        (value,) = run(model, A=nothing)
        assert value.one() is None, nothing
    assert run(model, A=(no_data(), series([1], [1.0])))[0].one() == 0


def test_no_data_and_firing_joined_by_or_is_no_data() -> None:
    model = classic(("A", "last", "gt", [5], "and"), ("B", "last", "gt", [5], "or"))
    assert run(model, A=series([1], [9.0]), B=no_data())[0].one() is None


def test_no_value_fires_on_nothing() -> None:
    model = classic(("A", "last", "no_value", [], "and"))
    assert run(model, A=())[0].one() == 1
    assert run(model, A=no_data())[0].one() == 1
    assert run(model, A=series([1], [1.0]))[0].one() == 0


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ({}, "type must be one of"),
        ({"type": "sql", "expression": "select"}, "type must be one of"),
        ({"type": "math"}, "expression"),
        ({"type": "reduce", "expression": "A", "reducer": "p99"}, "reducer must be one of"),
        ({**SUM, "settings": {"mode": "x"}}, "mode"),
        ({**SUM, "settings": BY_TEXT}, "replaceWithValue"),
        ({"type": "resample", "expression": "A", "window": "soon"}, "window"),
        ({"type": "threshold", "expression": "A", "conditions": []}, "exactly one"),
        ({"type": "threshold", "expression": "A", "conditions": [LACKING]}, "2 numbers"),
        ({"type": "classic_conditions", "conditions": [{}]}, "conditions[0].query.params"),
        ({"type": "classic_conditions", "conditions": []}, "1 to"),
    ],
)  # fmt: skip
def test_a_wrong_model_is_refused_by_the_name_of_its_field(
    model: dict[str, Any], word: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        read_command(model, SPAN)
    assert word in caught.value.message


def test_a_cycle_is_named() -> None:
    with pytest.raises(ExpressionError) as caught:
        ordered({"A": ("B",), "B": ("C",), "C": ("A",)})
    assert set("ABC") <= set(caught.value.message)
    assert " -> " in caught.value.message


def frame(*fields: Field, **more: Any) -> Frame:
    return Frame(fields=fields, **more)


TIME = Field(name="time", type=FieldType.TIME, values=[2, 1])


def test_a_wide_frame_is_a_series_for_each_number_ordered_by_time() -> None:
    a = Field(name="a", type=FieldType.NUMBER, values=[1, None], labels={"h": "x"})
    b = Field(name="b", type=FieldType.NUMBER, values=[3, 4])
    first, second = values_of([frame(TIME, a, b)])
    assert (first.times.tolist(), first.points(), first.labels) == ([1, 2], [None, 1], {"h": "x"})
    assert second.points() == [4, 3]


def test_a_long_frame_is_spread_by_its_texts() -> None:
    host = Field(name="host", type=FieldType.STRING, values=["x", "y"])
    value = Field(name="v", type=FieldType.NUMBER, values=[1, 2])
    first, second = values_of([frame(TIME, host, value)])
    assert {first.labels["host"]: first.points(), second.labels["host"]: second.points()} == {
        "x": [1],
        "y": [2],
    }


def test_a_table_with_one_column_of_numbers_is_a_set_of_numbers() -> None:
    host = Field(name="host", type=FieldType.STRING, values=["x", None])
    value = Field(name="v", type=FieldType.NUMBER, values=[1, None])
    found = values_of([frame(host, value)])
    assert [(each.one(), each.labels) for each in found] == [
        (1, {"host": "x"}),
        (None, {"host": ""}),
    ]


def test_nothing_is_no_data_and_words_are_refused() -> None:
    assert values_of([])[0].is_no_data
    assert values_of([frame()])[0].is_no_data
    with pytest.raises(ExpressionError, match="no column of numbers"):
        values_of([frame(Field(name="w", type=FieldType.STRING, values=["a"]))])
    two = Field(name="v", type=FieldType.NUMBER, values=[1])
    with pytest.raises(ExpressionError, match="2 columns of numbers"):
        values_of([frame(two, two)])


def test_values_become_frames() -> None:
    line, single, nothing, plain = frames_of(
        (GAPS, number(1, {"h": "x"}), no_data(), scalar(2)), "B"
    )
    assert [each.shape for each in (line, single, plain)] == ["time-series", "numeric", "numeric"]
    assert line.fields[1].labels == {"h": "x"}
    assert line.fields[1].values[1] is None
    assert nothing.fields == ()
    assert values_of([line])[0].points()[:2] == [4, None]
