"""Math follows Grafana's server-side expressions."""

import math

import pytest

from detectviz.queries.errors import ExpressionError
from detectviz.queries.expressions.grammar import parse_math, references
from detectviz.queries.expressions.math import evaluate_math
from detectviz.queries.expressions.values import Value, no_data, number, series

NAN = float("nan")


def one(text: str, **inputs: Value | tuple[Value, ...]) -> float | None:
    (value,) = results(text, **inputs)
    return value.one()


def results(text: str, **inputs: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    given = {name: (each if isinstance(each, tuple) else (each,)) for name, each in inputs.items()}
    return evaluate_math(parse_math(text), given)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("2 ** 3 ** 2", 64),  # to the left
        ("-2 ** 2", 4),  # minus binds closer
        ("7 % 4", 3),
        ("-7 % 4", -3),
        ("1 / 0", math.inf),
        ("1 - 2 - 3", -4),
        ("0x10 + 1e1 + .5", 26.5),
        ("!0", 1),
        ("!!5", 1),
        ("1 < 2", 1),
        ("2 <= 1", 0),
        ("1 == 1 && 2 != 2", 0),
        ("1 || nan()", 1),
        ("nan() || 0", 1),
        ("0 && nan()", 0),
        ("abs(-4)", 4),
        ("round(-2.5)", -3),
        ("round(2.5)", 3),
        ("ceil(1.2) + floor(1.8)", 3),
        ("log(1)", 0),
        ("is_nan(nan())", 1),
        ("is_inf(infn())", 1),
        ("is_null(null())", 1),
        ("is_number(inf())", 0),
        ("is_number(3)", 1),
        ("infn()", -math.inf),
    ],
)
def test_scalars_are_computed(text: str, expected: float) -> None:
    assert one(text) == expected


@pytest.mark.parametrize(
    "text", ["0 || nan()", "1 && nan()", "nan() + 1", "!nan()", "is_nan(null())"]
)
def test_nan_stays_nan_unless_the_left_decides(text: str) -> None:
    result = one(text)
    assert result is not None
    assert math.isnan(result)


def test_null_makes_null() -> None:
    assert one("null() + 1") is None
    assert one("null() || 1") is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "end of the expression"),
        ("1 +", "end of the expression at position 4"),
        ("$A $B", "'$B' at position 4"),
        ("foo(1)", "no function foo"),
        ("abs()", "takes 1"),
        ("nan(1)", "takes 0"),
        ("__import__(1)", "no function"),
        ("1; 2", "';'"),
        ("(" * 100 + "1" + ")" * 100, "nested"),
        ("-" * 5000 + "1", "nested"),
        ("1" + "+1" * 500, "in a row"),
        ("1" * 20000, "longer"),
        ("${}", "'$'"),
    ],
)
def test_a_wrong_expression_is_refused_with_the_place(text: str, word: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_math(text)
    assert word in caught.value.message


def test_references_are_listed_once_whatever_their_spelling() -> None:
    assert references(parse_math("$A + ${B query} * abs($A)")) == ("A", "B query")


def test_numbers_meet_by_equal_labels_and_what_is_left_over_is_told() -> None:
    a = (number(1, {"host": "x"}), number(2, {"host": "y"}))
    b = (number(10, {"host": "y"}), number(20, {"host": "z"}))
    (value,) = results("$A + $B", A=a, B=b)
    assert (value.one(), value.labels) == (12, {"host": "y"})
    assert "2 items dropped" in value.notices[0].text
    assert "{host=x}" in value.notices[0].text


def test_labels_of_one_side_may_contain_the_others() -> None:
    a = (number(1, {"host": "x", "disk": "a"}), number(2, {"host": "x", "disk": "b"}))
    found = results("$A / $B", A=a, B=number(4, {"host": "x"}))
    assert [(each.one(), each.labels["disk"]) for each in found] == [(0.25, "a"), (0.5, "b")]


def test_one_without_labels_meets_all() -> None:
    a = (number(1, {"host": "x"}), number(2, {"host": "y"}))
    found = results("$A * $B", A=a, B=number(3))
    assert [each.one() for each in found] == [3, 6]


def test_single_ones_meet_whatever_their_labels_and_lose_them() -> None:
    (value,) = results("$A + $B", A=number(1, {"a": "1"}), B=number(2, {"b": "2"}))
    assert (value.one(), value.labels) == (3, {})


def test_as_many_labels_that_differ_do_not_meet() -> None:
    a = (number(1, {"a": "1"}), number(5, {"a": "2"}))
    assert results("$A + $B", A=a, B=(number(1, {"b": "1"}), number(2, {"b": "2"}))) == ()


def test_points_meet_at_equal_times() -> None:
    a = series([1, 2, 3, 4], [1.0, 2.0, None, 4.0], {"h": "x"})
    b = series([2, 3, 4, 5], [10.0, 20.0, 30.0, 40.0], {"h": "x"})
    (value,) = results("$A + $B", A=a, B=b)
    assert value.times.tolist() == [2, 3, 4]
    assert value.points() == [12, None, 34]


def test_series_that_share_no_time_leave_an_empty_one() -> None:
    (value,) = results("$A + $B", A=series([1], [1.0]), B=series([2], [1.0]))
    assert value.points() == []
    (value,) = results("$A + $B", A=series([1], [1.0]), B=series([], []))
    assert value.points() == []


def test_series_and_numbers_keep_the_order_of_the_operands() -> None:
    (value,) = results("10 - $A", A=series([1, 2], [1.0, NAN]))
    points = value.points()
    assert points[0] == 9
    assert math.isnan(points[1] or 0)
    assert value.is_series
    (value,) = results("$B > $A", A=series([1, 2], [1.0, 5.0]), B=number(3, {"h": "x"}))
    assert value.points() == [1, 0]
    assert value.labels == {"h": "x"}


def test_no_data_wins_over_everything() -> None:
    for text in ("$A + $B", "$B + $A", "abs($A)", "-$A", "$A + 1", "$A || 1"):
        (value,) = results(text, A=no_data(), B=number(1, {"h": "x"}))
        assert value.is_no_data, text


def test_no_data_of_one_side_leaves_one_no_data_and_tells_of_the_others() -> None:
    many = (number(1, {"h": "x"}), number(2, {"h": "y"}))
    (value,) = results("$A + $B", A=no_data(), B=many)
    assert value.is_no_data
    assert "2 items dropped" in value.notices[0].text


def test_functions_of_series_turn_null_into_nan_and_is_null_sees_it() -> None:
    a = series([1, 2], [-1.0, None])
    (value,) = results("abs($A)", A=a)
    assert value.points()[0] == 1
    assert math.isnan(value.points()[1] or 0)
    (value,) = results("is_null($A)", A=a)
    assert value.points() == [0, 1]


def test_too_many_label_sets_are_refused_before_they_are_compared() -> None:
    many = tuple(number(1, {"a": str(place), "b": "1"}) for place in range(4000))
    less = tuple(number(1, {"a": str(place)}) for place in range(4000))
    with pytest.raises(ExpressionError, match="would compare"):
        results("$A + $B", A=many, B=less)
    assert len(results("$A + $B", A=less, B=less)) == 4000
