"""What may follow a selector or subquery: ``[range]``, ``[range:step]``, ``offset``, ``@``."""

import math
from dataclasses import replace
from typing import TypeAlias

from detectviz.promql.lexer import Kind, Token
from detectviz.promql.nodes import Anchor, Expression, MatrixSelector, Subquery, VectorSelector
from detectviz.promql.numbers import parse_duration_literal_ms, parse_number
from detectviz.promql.positions import Span
from detectviz.promql.tokens import TokenStream

_Selecting: TypeAlias = VectorSelector | MatrixSelector | Subquery
_ARITHMETIC = frozenset("+-*/%^")
_DURATION_FUNCTIONS = frozenset({"step", "range", "min_of", "max_of"})
_LARGEST_DURATION_MS = (2**63 - 1) // 1_000_000
_LARGEST_TIME_S = (2**63 - 1) // 1000
_EXPERIMENTAL = "duration expression"


def with_modifier(tokens: TokenStream, node: Expression) -> Expression:
    """Take one modifier and return ``node`` with it."""
    token = tokens.peek()
    if token.text == "[":
        return _with_range(tokens, node)
    if token.lowered in {"anchored", "smoothed"}:
        raise tokens.unsupported(f"modifier {token.lowered!r}", token.span)
    if not isinstance(node, VectorSelector | MatrixSelector | Subquery):
        name = "offset" if token.lowered == "offset" else "@"
        message = (
            f"{name} modifier must be preceded by an instant vector selector "
            "or range vector selector or a subquery"
        )
        raise tokens.error(message, node.span)
    tokens.take()
    return _with_at(tokens, node) if token.text == "@" else _with_offset(tokens, node)


def _with_range(tokens: TokenStream, node: Expression) -> Expression:
    opening = tokens.take()
    range_ms = _positive_duration(tokens)
    if tokens.accept(":"):
        step_ms = None if tokens.peek().text == "]" else _positive_duration(tokens)
        end = tokens.expect("]", "subquery selector").span.end
        span = Span(start=node.span.start, end=end)
        return Subquery(expression=node, range_ms=range_ms, step_ms=step_ms, span=span)
    closing = tokens.expect("]", "subquery or range selector", wanted='":" or "]"')
    span = Span(start=node.span.start, end=closing.span.end)
    bracket = Span(start=opening.span.start, end=closing.span.end)
    if not isinstance(node, VectorSelector):
        raise tokens.error("ranges only allowed for vector selectors", bracket)
    if node.offset_ms:
        raise tokens.error("no offset modifiers allowed before range", bracket)
    if node.at is not None:
        raise tokens.error("no @ modifiers allowed before range", bracket)
    return MatrixSelector(selector=node, range_ms=range_ms, span=span)


def _positive_duration(tokens: TokenStream) -> int:
    start = tokens.peek()
    is_negative = start.text == "-" and tokens.peek(1).kind in {Kind.NUMBER, Kind.DURATION}
    if is_negative and tokens.peek(2).text in {":", "]"}:
        raise tokens.error("duration must be greater than 0", start.span)
    duration_ms = _duration(tokens)
    following = tokens.peek()
    if following.kind is Kind.OPERATOR and following.text in _ARITHMETIC:
        raise tokens.unsupported(_EXPERIMENTAL, following.span)
    if duration_ms <= 0:
        raise tokens.error("duration must be greater than 0", start.span)
    return duration_ms


def _duration(tokens: TokenStream) -> int:
    """Take one duration literal; refuse duration expressions by name."""
    token = tokens.peek()
    if token.lowered in _DURATION_FUNCTIONS and tokens.peek(1).text == "(":
        raise tokens.unsupported(f"{_EXPERIMENTAL} {token.lowered!r}", token.span)
    if token.kind is Kind.OPERATOR and token.text in {"(", "-", "+"}:
        raise tokens.unsupported(_EXPERIMENTAL, token.span)
    if token.kind not in {Kind.NUMBER, Kind.DURATION}:
        raise tokens.unexpected(token, "subquery or range selector", "number or duration")
    tokens.take()
    return _duration_ms(tokens, token)


def _duration_ms(tokens: TokenStream, token: Token) -> int:
    try:
        duration_ms = parse_duration_literal_ms(token.text)
    except ValueError:
        raise tokens.error("duration out of range", token.span) from None
    if duration_ms > _LARGEST_DURATION_MS:
        raise tokens.error("duration out of range", token.span)
    return duration_ms


def _with_offset(tokens: TokenStream, node: _Selecting) -> Expression:
    sign = tokens.accept("-", "+")
    offset_ms = _duration(tokens)
    if sign is not None and sign.text == "-":
        offset_ms = -offset_ms
    target = node.selector if isinstance(node, MatrixSelector) else node
    if target.offset_ms:
        raise tokens.error("offset may not be set multiple times", node.span)
    return _stretched(node, replace(target, offset_ms=offset_ms), tokens.last_end)


def _with_at(tokens: TokenStream, node: _Selecting) -> Expression:
    at = _time(tokens)
    target = node.selector if isinstance(node, MatrixSelector) else node
    if target.at is not None:
        raise tokens.error("@ <timestamp> may not be set multiple times", node.span)
    return _stretched(node, replace(target, at=at), tokens.last_end)


def _time(tokens: TokenStream) -> int | Anchor:
    symbol = tokens.accept("start", "end")
    if symbol is not None:
        tokens.expect("(", "@")
        tokens.expect(")", "@")
        return Anchor(f"{symbol.lowered}()")
    sign = tokens.accept("-", "+")
    token = tokens.take()
    if token.kind not in {Kind.NUMBER, Kind.DURATION}:
        raise tokens.unexpected(token, "@", "timestamp")
    seconds = (
        _duration_ms(tokens, token) / 1000
        if token.kind is Kind.DURATION
        else parse_number(token.text)
    )
    seconds = -seconds if sign is not None and sign.text == "-" else seconds
    if math.isnan(seconds) or abs(seconds) >= _LARGEST_TIME_S:
        raise tokens.error(f"timestamp out of bounds for @ modifier: {seconds:f}", token.span)
    return round(seconds * 1000)


def _stretched(node: _Selecting, target: VectorSelector | Subquery, end: int) -> Expression:
    """Return ``node`` around its changed selector, reaching to ``end``."""
    span = Span(start=node.span.start, end=end)
    if isinstance(node, MatrixSelector) and isinstance(target, VectorSelector):
        return replace(node, selector=target, span=span)
    return replace(target, span=span)
