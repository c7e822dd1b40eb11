"""What may follow a selector or subquery.

``[range]``, ``[range:step]``, ``offset``, ``@``, ``anchored`` and ``smoothed``.
"""

import math
from dataclasses import replace
from typing import TypeAlias

from detectviz.contracts.durations import parse_duration_ms
from detectviz.promql.durations import Duration, parse_duration
from detectviz.promql.lexer import Kind
from detectviz.promql.nodes import (
    Anchor,
    Expression,
    Extension,
    MatrixSelector,
    Subquery,
    VectorSelector,
)
from detectviz.promql.numbers import parse_number
from detectviz.promql.positions import Span
from detectviz.promql.tokens import TokenStream

_Selecting: TypeAlias = VectorSelector | MatrixSelector | Subquery
_LARGEST_TIME_S = (2**63 - 1) // 1000
_EXTENSIONS = frozenset(Extension)


def with_modifier(tokens: TokenStream, node: Expression) -> Expression:
    """Take one modifier and return ``node`` with it."""
    token = tokens.peek()
    if token.text == "[":
        return _with_range(tokens, node)
    if token.lowered in _EXTENSIONS:
        return _with_extension(tokens, node)
    if not isinstance(node, VectorSelector | MatrixSelector | Subquery):
        name = "offset" if token.lowered == "offset" else "@"
        message = (
            f"{name} modifier must be preceded by an instant vector selector "
            "or range vector selector or a subquery"
        )
        raise tokens.error(message, node.span)
    tokens.take()
    return _with_at(tokens, node) if token.text == "@" else _with_offset(tokens, node)


def _with_extension(tokens: TokenStream, node: Expression) -> Expression:
    extension = Extension(tokens.take().lowered)
    if isinstance(node, Subquery):
        message = f"{extension} modifier is not supported for subqueries"
        raise tokens.error(message, node.span)
    if not isinstance(node, VectorSelector | MatrixSelector):
        raise tokens.error(f"{extension} modifier not implemented", node.span)
    target = node.selector if isinstance(node, MatrixSelector) else node
    if target.extension not in {None, extension}:
        message = "anchored and smoothed modifiers cannot be used together"
        raise tokens.error(message, node.span)
    return _stretched(node, replace(target, extension=extension), tokens.last_end)


def _with_range(tokens: TokenStream, node: Expression) -> Expression:
    opening = tokens.take()
    window = parse_duration(tokens)
    if tokens.accept(":"):
        return _subquery(tokens, node, window)
    closing = tokens.expect("]", "subquery or range selector", wanted='":" or "]"')
    span = Span(start=node.span.start, end=closing.span.end)
    bracket = Span(start=opening.span.start, end=closing.span.end)
    if not isinstance(node, VectorSelector):
        raise tokens.error("ranges only allowed for vector selectors", bracket)
    if node.offset_ms or node.offset_expression:
        raise tokens.error("no offset modifiers allowed before range", bracket)
    if node.at is not None:
        raise tokens.error("no @ modifiers allowed before range", bracket)
    return MatrixSelector(
        selector=node,
        range_ms=window.milliseconds,
        range_expression=window.expression,
        span=span,
    )


def _subquery(tokens: TokenStream, node: Expression, window: Duration) -> Expression:
    step = None if tokens.peek().text == "]" else parse_duration(tokens)
    end = tokens.expect("]", "subquery selector").span.end
    return Subquery(
        expression=node,
        range_ms=window.milliseconds,
        range_expression=window.expression,
        step_ms=step.milliseconds if step else None,
        step_expression=step.expression if step else None,
        span=Span(start=node.span.start, end=end),
    )


def _with_offset(tokens: TokenStream, node: _Selecting) -> Expression:
    offset = parse_duration(tokens, is_offset=True)
    target = node.selector if isinstance(node, MatrixSelector) else node
    if target.offset_ms or target.offset_expression:
        raise tokens.error("offset may not be set multiple times", node.span)
    changed = replace(target, offset_ms=offset.milliseconds, offset_expression=offset.expression)
    return _stretched(node, changed, tokens.last_end)


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
    is_duration = token.kind is Kind.DURATION
    seconds = parse_duration_ms(token.text) / 1000 if is_duration else parse_number(token.text)
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
