"""Pratt parser for PromQL: precedence climbing over the tokens of one query."""

from functools import lru_cache

from detectviz.promql import nodes
from detectviz.promql.errors import ParseError
from detectviz.promql.labels import is_valid_label_name
from detectviz.promql.lexer import Kind, Token
from detectviz.promql.modifiers import with_modifier
from detectviz.promql.numbers import parse_duration_literal_ms, parse_number
from detectviz.promql.positions import Span
from detectviz.promql.quoting import quote
from detectviz.promql.selector_parser import parse_selector
from detectviz.promql.signatures import (
    AGGREGATIONS,
    COMPARISONS,
    FUNCTIONS,
    PARAMETER_TYPES,
    PRECEDENCE,
    RIGHT_ASSOCIATIVE,
    SET_OPERATORS,
    UNARY_PRECEDENCE,
)
from detectviz.promql.tokens import TokenStream
from detectviz.promql.type_check import check_types

_MOST_PARSED = 2048
_LONGEST_REMEMBERED = 4096
_MOST_NESTED = 200
_NO_METRIC_NAME = frozenset({"bool", "on", "ignoring", "group_left", "group_right", "atan2"})
_BOUNDS = frozenset({"start", "end", "range", "step"})
_FILLS = frozenset({"fill", "fill_left", "fill_right"})


class _Parser:
    def __init__(self, query: str) -> None:
        self.tokens = TokenStream(query)
        self.depth = 0

    def whole(self) -> nodes.Expression:
        if self.tokens.peek().kind is Kind.END:
            raise self.tokens.error("no expression found in input", self.tokens.peek().span)
        expression = self.expression(0)
        if self.tokens.peek().kind is not Kind.END:
            raise self.tokens.unexpected(self.tokens.peek())
        return expression

    def expression(self, minimum: int) -> nodes.Expression:
        """Parse operators that bind tighter than ``minimum``."""
        self.depth += 1
        if self.depth > _MOST_NESTED:
            raise self.tokens.error("expression is nested too deeply", self.tokens.peek().span)
        left = self.unary()
        while True:
            token = self.tokens.peek()
            if token.kind is Kind.STRING or PRECEDENCE.get(token.lowered, 0) <= minimum:
                break
            left = self.binary(left, self.tokens.take())
        self.depth -= 1
        return left

    def unary(self) -> nodes.Expression:
        sign = self.tokens.accept("-", "+")
        if sign is None:
            return self.postfix(self.primary())
        operand = self.expression(UNARY_PRECEDENCE)
        span = Span(start=sign.span.start, end=operand.span.end)
        if isinstance(operand, nodes.NumberLiteral):
            value = -operand.value if sign.text == "-" else operand.value
            return nodes.NumberLiteral(value=value, is_duration=operand.is_duration, span=span)
        return nodes.Unary(operator=sign.text, operand=operand, span=span)

    def binary(self, left: nodes.Expression, operator: Token) -> nodes.Expression:
        symbol = operator.lowered
        bool_token = self.tokens.accept("bool")
        if bool_token is not None and symbol not in COMPARISONS:
            message = "bool modifier can only be used on comparison operators"
            raise self.tokens.error(message, bool_token.span)
        matching = self.matching(symbol)
        precedence = PRECEDENCE[symbol]
        right = self.expression(precedence - (symbol in RIGHT_ASSOCIATIVE))
        return nodes.Binary(
            operator=symbol,
            left=left,
            right=right,
            is_bool=bool_token is not None,
            matching=matching,
            span=Span(start=left.span.start, end=right.span.end),
        )

    def matching(self, symbol: str) -> nodes.Matching | None:
        word = self.tokens.accept("on", "ignoring")
        labels: tuple[str, ...] = ()
        group: Token | None = None
        include: tuple[str, ...] = ()
        if word is not None:
            labels = self.label_list()
            group = self.tokens.accept("group_left", "group_right")
            if group is not None and symbol in SET_OPERATORS:
                message = f"no grouping allowed for {symbol!r} operation"
                raise self.tokens.error(message, group.span)
            if group is not None and self.tokens.peek().text == "(":
                include = self.label_list()
        fills = self.fills(symbol)
        if word is None and not fills:
            return None
        is_on = word is not None and word.lowered == "on"
        both = sorted(set(labels) & set(include)) if is_on else []
        if word is not None and both:
            message = f'label "{both[0]}" must not occur in ON and GROUP clause at once'
            raise self.tokens.error(message, word.span)
        side = group.lowered.removeprefix("group_") if group else None
        return nodes.Matching(
            is_on=is_on,
            labels=labels,
            group=side,
            include=include,
            fill_left=fills.get("fill_left", fills.get("fill")),
            fill_right=fills.get("fill_right", fills.get("fill")),
        )

    def fills(self, symbol: str) -> dict[str, float]:
        """Take any ``fill(…)``, ``fill_left(…)`` and ``fill_right(…)``."""
        fills: dict[str, float] = {}
        while self.tokens.peek().lowered in _FILLS and self.tokens.peek(1).text == "(":
            word = self.tokens.take()
            if symbol in SET_OPERATORS:
                message = f"no fill modifier allowed for {symbol!r} operation"
                raise self.tokens.error(message, word.span)
            if word.lowered in fills or (fills and "fill" in {*fills, word.lowered}):
                raise self.tokens.error("missing series may be filled only once", word.span)
            self.tokens.expect("(", "fill modifier")
            value = self.expression(0)
            if not isinstance(value, nodes.NumberLiteral):
                raise self.tokens.error("fill value must be a number", value.span)
            self.tokens.expect(")", "fill modifier")
            fills[word.lowered] = value.value
        return fills

    def label_list(self) -> tuple[str, ...]:
        self.tokens.expect("(", "grouping opts")
        labels: list[str] = []
        while not self.tokens.accept(")"):
            labels.append(self.grouping_label())
            if not self.tokens.accept(","):
                self.tokens.expect(")", "grouping opts", wanted='"," or ")"')
                break
        return tuple(labels)

    def grouping_label(self) -> str:
        token = self.tokens.peek()
        name = self.tokens.label_name("grouping opts")
        if not is_valid_label_name(name):
            message = f"invalid label name for grouping: {quote(name)}"
            raise self.tokens.error(message, token.span)
        return name

    def primary(self) -> nodes.Expression:
        token = self.tokens.peek()
        if token.kind in {Kind.NUMBER, Kind.DURATION}:
            return self.number()
        if token.kind is Kind.STRING:
            self.tokens.take()
            return nodes.StringLiteral(value=self.tokens.unquoted(token), span=token.span)
        if token.kind is Kind.OPERATOR and token.text == "(":
            return self.parenthesis()
        if token.kind is Kind.OPERATOR and token.text == "{":
            return parse_selector(self.tokens)
        if token.kind is Kind.IDENTIFIER:
            return self.identifier(token)
        raise self.tokens.unexpected(token)

    def number(self) -> nodes.Expression:
        token = self.tokens.take()
        is_duration = token.kind is Kind.DURATION
        try:
            value = (
                parse_duration_literal_ms(token.text) / 1000
                if is_duration
                else parse_number(token.text)
            )
        except ValueError:
            raise self.tokens.error(f"error parsing number: {token.text!r}", token.span) from None
        return nodes.NumberLiteral(value=value, is_duration=is_duration, span=token.span)

    def parenthesis(self) -> nodes.Expression:
        opening = self.tokens.take()
        inner = self.expression(0)
        closing = self.tokens.expect(")", "parenthesis")
        span = Span(start=opening.span.start, end=closing.span.end)
        return nodes.Parenthesis(expression=inner, span=span)

    def identifier(self, token: Token) -> nodes.Expression:
        following = self.tokens.peek(1)
        is_operand = following.text == "(" and following.kind is Kind.OPERATOR
        if token.lowered in AGGREGATIONS and (is_operand or following.lowered in {"by", "without"}):
            return self.aggregation()
        if token.lowered in _NO_METRIC_NAME:
            raise self.tokens.unexpected(token)
        if is_operand:
            return self.call()
        return parse_selector(self.tokens)

    def arguments(self, function: str = "") -> tuple[nodes.Expression, ...]:
        self.tokens.expect("(", "function call")
        arguments: list[nodes.Expression] = []
        if self.tokens.accept(")"):
            return ()
        while True:
            is_selector = function == "info" and len(arguments) == 1
            if is_selector and self.tokens.peek().text == "{":
                arguments.append(self.postfix(parse_selector(self.tokens, may_match_all=True)))
            else:
                arguments.append(self.expression(0))
            if not self.tokens.accept(","):
                self.tokens.expect(")", "function call", wanted='"," or ")"')
                return tuple(arguments)
            if self.tokens.peek().text == ")":
                message = "trailing commas not allowed in function call args"
                raise self.tokens.error(message, self.tokens.peek().span)

    def call(self) -> nodes.Expression:
        name = self.tokens.take()
        function = name.lowered if name.lowered in _BOUNDS else name.text
        if function not in FUNCTIONS:
            raise self.tokens.error(f'unknown function with name "{function}"', name.span)
        arguments = self.arguments(function)
        span = Span(start=name.span.start, end=self.tokens.last_end)
        return nodes.Call(function=function, arguments=arguments, span=span)

    def aggregation(self) -> nodes.Expression:
        name = self.tokens.take()
        clause = self.grouping()
        arguments = self.arguments()
        if clause is None:
            clause = self.grouping()
        is_without, grouping = clause or (False, ())
        span = Span(start=name.span.start, end=self.tokens.last_end)
        self._check_count(name, arguments, span)
        return nodes.Aggregation(
            operator=name.lowered,
            expression=arguments[-1],
            parameter=arguments[0] if name.lowered in PARAMETER_TYPES else None,
            grouping=grouping,
            is_without=is_without,
            span=span,
        )

    def _check_count(
        self, name: Token, arguments: tuple[nodes.Expression, ...], span: Span
    ) -> None:
        wanted = 2 if name.lowered in PARAMETER_TYPES else 1
        if not arguments:
            raise self.tokens.error("no arguments for aggregate expression provided", span)
        if len(arguments) != wanted:
            message = (
                "wrong number of arguments for aggregate expression provided, "
                f"expected {wanted}, got {len(arguments)}"
            )
            raise self.tokens.error(message, span)

    def grouping(self) -> tuple[bool, tuple[str, ...]] | None:
        word = self.tokens.accept("by", "without")
        return None if word is None else (word.lowered == "without", self.label_list())

    def postfix(self, node: nodes.Expression) -> nodes.Expression:
        while True:
            token = self.tokens.peek()
            is_modifier = token.lowered in {"[", "@", "offset", "anchored", "smoothed"}
            if not is_modifier or token.kind not in {Kind.OPERATOR, Kind.IDENTIFIER}:
                return node
            node = with_modifier(self.tokens, node)


def parse(query: str) -> nodes.Expression:
    """Return the checked syntax tree of ``query``.

    Raise ParseError with byte positions when Prometheus would refuse it. Syntax of Prometheus
    3.x, its experimental parts included.
    """
    return _remembered(query) if len(query) <= _LONGEST_REMEMBERED else _parsed(query)


def _parsed(query: str) -> nodes.Expression:
    try:
        expression = _Parser(query).whole()
        check_types(expression, query)
    except RecursionError:
        raise ParseError("expression is nested too deeply", 0, 0, query) from None
    return expression


_remembered = lru_cache(_MOST_PARSED)(_parsed)
