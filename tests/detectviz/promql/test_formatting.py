"""Trees that were built, not parsed, still print as what they mean."""

from detectviz.promql import nodes
from detectviz.promql.formatting import format_expression
from detectviz.promql.parser import parse
from detectviz.promql.positions import Span
from detectviz.tsdb.interface import Matcher, MatchOp

NOWHERE = Span(start=0, end=0)


def number(value: float) -> nodes.NumberLiteral:
    return nodes.NumberLiteral(value=value, span=NOWHERE)


def binary(operator: str, left: nodes.Expression, right: nodes.Expression) -> nodes.Binary:
    return nodes.Binary(operator=operator, left=left, right=right, span=NOWHERE)


def minus(operand: nodes.Expression) -> nodes.Unary:
    return nodes.Unary(operator="-", operand=operand, span=NOWHERE)


def selector(name: str) -> nodes.VectorSelector:
    matcher = Matcher("__name__", MatchOp.EQUAL, name)
    return nodes.VectorSelector(name=name, matchers=(matcher,), span=NOWHERE)


def test_parentheses_appear_where_precedence_needs_them() -> None:
    total = binary("+", selector("a"), selector("b"))
    assert format_expression(binary("*", total, selector("c"))) == "(a + b) * c"
    assert format_expression(binary("-", selector("c"), total)) == "c - (a + b)"
    assert format_expression(binary("+", total, selector("c"))) == "a + b + c"
    assert format_expression(minus(total)) == "-(a + b)"


def test_powers_keep_their_side_and_sign() -> None:
    power = binary("^", number(2), number(3))
    assert format_expression(binary("^", power, number(2))) == "(2 ^ 3) ^ 2"
    assert format_expression(binary("^", number(2), power)) == "2 ^ 2 ^ 3"
    assert format_expression(binary("^", number(-2), number(2))) == "(-2) ^ 2"
    assert format_expression(binary("^", minus(selector("a")), number(2))) == "(-a) ^ 2"


def test_names_that_would_be_read_otherwise_are_quoted() -> None:
    for name in ("inf", "NaN", "bool", "on", "group_left", "a.b", "1a"):
        text = format_expression(binary("+", number(1), selector(name)))
        assert text == f'1 + {{"{name}"}}'
        right = parse(text)
        assert isinstance(right, nodes.Binary)
        assert isinstance(right.right, nodes.VectorSelector)
        assert right.right.name == name


def test_a_subquery_of_an_operator_is_wrapped() -> None:
    node = nodes.Subquery(
        expression=binary("+", selector("a"), number(1)),
        range_ms=60_000,
        step_ms=None,
        at=nodes.Anchor.END,
        offset_ms=-1500,
        span=NOWHERE,
    )
    assert format_expression(node) == "(a + 1)[1m:] @ end() offset -1s500ms"
