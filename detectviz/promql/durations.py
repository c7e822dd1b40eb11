"""Durations that are computed: ``[5m * 2]``, ``[step()]``, ``offset (1h - 5m)``."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.calls import QueryBounds
from detectviz.promql.errors import ParseError
from detectviz.promql.lexer import Kind
from detectviz.promql.numbers import parse_duration_literal_ms
from detectviz.promql.operators import operate
from detectviz.promql.positions import Span
from detectviz.promql.signatures import PRECEDENCE, RIGHT_ASSOCIATIVE, UNARY_PRECEDENCE
from detectviz.promql.tokens import TokenStream

_OPERATORS = frozenset("+-*/%^")
_BOUNDS = frozenset({"step", "range"})
_CHOICES = frozenset({"min_of", "max_of"})
_CONTEXT = "subquery or range selector"
_LARGEST_MS = (2**63 - 1) // 1_000_000
_TOO_SHORT = "duration must be greater than 0"


@dataclass(frozen=True, slots=True)
class Duration:
    """Milliseconds, or an expression (in seconds) to compute once the query's bounds are known."""

    milliseconds: int
    expression: nodes.Expression | None = None


def parse_duration(tokens: TokenStream, *, is_offset: bool = False) -> Duration:
    """Take a duration: a whole expression in brackets, a signed operand after ``offset``.

    Constant expressions are computed at once. Raise ParseError at what is no duration, and in
    brackets at what is not positive.
    """
    node = _operand(tokens) if is_offset else _expression(tokens, 0)
    if not _is_constant(node):
        return Duration(0, node)
    bounds = QueryBounds(start_ms=0, end_ms=0, step_ms=0)
    return Duration(_milliseconds(node, bounds, tokens.query, is_offset=is_offset))


def _expression(tokens: TokenStream, minimum: int) -> nodes.Expression:
    left = _signed(tokens)
    while True:
        token = tokens.peek()
        is_operator = token.kind is Kind.OPERATOR and token.text in _OPERATORS
        if not is_operator or PRECEDENCE[token.text] <= minimum:
            return left
        operator = tokens.take().text
        right = _expression(tokens, PRECEDENCE[operator] - (operator in RIGHT_ASSOCIATIVE))
        span = Span(start=left.span.start, end=right.span.end)
        left = nodes.Binary(operator=operator, left=left, right=right, span=span)


def _signed(tokens: TokenStream) -> nodes.Expression:
    sign = tokens.accept("-", "+")
    if sign is None:
        return _primary(tokens)
    operand = _expression(tokens, UNARY_PRECEDENCE)
    span = Span(start=sign.span.start, end=operand.span.end)
    return nodes.Unary(operator=sign.text, operand=operand, span=span)


def _operand(tokens: TokenStream) -> nodes.Expression:
    """Take what ``offset`` binds: one operand with its sign, no operators."""
    sign = tokens.accept("-", "+")
    operand = _primary(tokens)
    if sign is None:
        return operand
    span = Span(start=sign.span.start, end=operand.span.end)
    return nodes.Unary(operator=sign.text, operand=operand, span=span)


def _primary(tokens: TokenStream) -> nodes.Expression:
    token = tokens.take()
    if token.kind in {Kind.NUMBER, Kind.DURATION}:
        try:
            seconds = parse_duration_literal_ms(token.text) / 1000
        except ValueError:
            raise tokens.error("duration out of range", token.span) from None
        is_duration = token.kind is Kind.DURATION
        return nodes.NumberLiteral(value=seconds, is_duration=is_duration, span=token.span)
    if token.kind is Kind.OPERATOR and token.text == "(":
        inner = _expression(tokens, 0)
        end = tokens.expect(")", _CONTEXT).span.end
        return nodes.Parenthesis(expression=inner, span=Span(start=token.span.start, end=end))
    if token.lowered not in _BOUNDS | _CHOICES or token.kind is not Kind.IDENTIFIER:
        raise tokens.unexpected(token, _CONTEXT, "number or duration")
    tokens.expect("(", _CONTEXT)
    arguments: tuple[nodes.Expression, ...] = ()
    if token.lowered in _CHOICES:
        first = _expression(tokens, 0)
        tokens.expect(",", _CONTEXT)
        arguments = (first, _expression(tokens, 0))
    end = tokens.expect(")", _CONTEXT).span.end
    span = Span(start=token.span.start, end=end)
    return nodes.Call(function=token.lowered, arguments=arguments, span=span)


def _is_constant(node: nodes.Expression) -> bool:
    if isinstance(node, nodes.Call) and node.function in _BOUNDS:
        return False
    return all(_is_constant(child) for child in nodes.children(node))


def _seconds(node: nodes.Expression, bounds: QueryBounds) -> float:
    match node:
        case nodes.NumberLiteral():
            return node.value
        case nodes.Parenthesis():
            return _seconds(node.expression, bounds)
        case nodes.Unary():
            value = _seconds(node.operand, bounds)
            return -value if node.operator == "-" else value
        case nodes.Binary():
            sides = (np.array(_seconds(side, bounds)) for side in (node.left, node.right))
            with np.errstate(all="ignore"):
                return float(operate(node.operator, *sides, is_bool=False)[0])
        case nodes.Call():
            return _called(node, bounds)
    raise TypeError(f"no part of a duration: {node!r}")


def _called(node: nodes.Call, bounds: QueryBounds) -> float:
    if node.function == "step":
        return bounds.step_ms / 1000
    if node.function == "range":
        return (bounds.end_ms - bounds.start_ms) / 1000
    choose: Callable[[float, float], float] = min if node.function == "min_of" else max
    first, second = (_seconds(argument, bounds) for argument in node.arguments)
    return choose(first, second)


def _milliseconds(
    node: nodes.Expression, bounds: QueryBounds, query: str, *, is_offset: bool
) -> int:
    milliseconds = _seconds(node, bounds) * 1000
    if not abs(milliseconds) <= _LARGEST_MS:
        raise ParseError("duration out of range", node.span.start, node.span.end, query)
    if round(milliseconds) <= 0 and not is_offset:
        raise ParseError(_TOO_SHORT, node.span.start, node.span.end, query)
    return round(milliseconds)


def resolve_durations(node: nodes.Expression, bounds: QueryBounds, query: str) -> nodes.Expression:
    """Compute all durations that depend on the query's bounds; ParseError if one can't be."""

    def computed(expression: nodes.Expression, *, is_offset: bool) -> int:
        return _milliseconds(expression, bounds, query, is_offset=is_offset)

    def change(one: nodes.Expression) -> nodes.Expression:
        if isinstance(one, nodes.VectorSelector | nodes.Subquery) and one.offset_expression:
            offset_ms = computed(one.offset_expression, is_offset=True)
            one = replace(one, offset_ms=offset_ms, offset_expression=None)
        if isinstance(one, nodes.MatrixSelector | nodes.Subquery) and one.range_expression:
            range_ms = computed(one.range_expression, is_offset=False)
            one = replace(one, range_ms=range_ms, range_expression=None)
        if isinstance(one, nodes.Subquery) and one.step_expression:
            step_ms = computed(one.step_expression, is_offset=False)
            one = replace(one, step_ms=step_ms, step_expression=None)
        return one

    return nodes.transformed(node, change)
