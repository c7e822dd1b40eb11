"""Vector selectors: metric names and matchers."""

from detectviz.promql.lexer import Kind, Token
from detectviz.promql.nodes import VectorSelector
from detectviz.promql.patterns import compile_pattern, matches
from detectviz.promql.positions import Span
from detectviz.promql.tokens import TokenStream
from detectviz.tsdb.interface import METRIC_NAME, Matcher, MatchOp

_CONTEXT = "label matching"
_OPERATORS = frozenset(MatchOp)


class _SelectorParser:
    def __init__(self, tokens: TokenStream, *, may_match_all: bool) -> None:
        self.tokens = tokens
        self.may_match_all = may_match_all
        self.name: str | None = None
        self.matchers: list[Matcher] = []

    def run(self) -> VectorSelector:
        start = self.tokens.peek().span.start
        if self.tokens.peek().kind is Kind.IDENTIFIER:
            self.name = self.tokens.take().text
        if self.tokens.accept("{"):
            self._braces()
        span = Span(start=start, end=self.tokens.last_end)
        if self.name is not None:
            self.matchers.append(Matcher(METRIC_NAME, MatchOp.EQUAL, self.name))
        if not self.may_match_all and all(matches(matcher, "") for matcher in self.matchers):
            message = "vector selector must contain at least one non-empty matcher"
            raise self.tokens.error(message, span)
        return VectorSelector(name=self.name, matchers=tuple(self.matchers), span=span)

    def _braces(self) -> None:
        while not self.tokens.accept("}"):
            self._matcher()
            if not self.tokens.accept(","):
                self.tokens.expect("}", _CONTEXT, wanted='"," or "}"')
                return

    def _matcher(self) -> None:
        token = self.tokens.peek()
        if token.kind is Kind.OPERATOR:
            raise self.tokens.unexpected(token, _CONTEXT, 'identifier or "}"')
        label = self.tokens.label_name(_CONTEXT)
        if token.kind is Kind.STRING and self.tokens.peek().text in {",", "}"}:
            self._set_name(label, token)
            return
        operator = self.tokens.take()
        if operator.kind is not Kind.OPERATOR or operator.text not in _OPERATORS:
            raise self.tokens.unexpected(operator, _CONTEXT, "label matching operator")
        value = self.tokens.take()
        if value.kind is not Kind.STRING:
            raise self.tokens.unexpected(value, _CONTEXT, "string")
        self._add(label, MatchOp(operator.text), value)

    def _set_name(self, name: str, token: Token) -> None:
        if self.name is not None:
            message = f'metric name must not be set twice: "{self.name}" or "{name}"'
            raise self.tokens.error(message, token.span)
        self.name = name

    def _add(self, label: str, operator: MatchOp, token: Token) -> None:
        value = self.tokens.unquoted(token)
        if operator in {MatchOp.REGEX, MatchOp.NOT_REGEX}:
            try:
                compile_pattern(value)
            except ValueError as error:
                raise self.tokens.error(str(error), token.span) from None
        if label == METRIC_NAME and operator is MatchOp.EQUAL and self.name is not None:
            message = f'metric name must not be set twice: "{self.name}" or "{value}"'
            raise self.tokens.error(message, token.span)
        self.matchers.append(Matcher(label, operator, value))


def parse_selector(tokens: TokenStream, *, may_match_all: bool = False) -> VectorSelector:
    """Take a vector selector without its modifiers; ParseError if it selects everything."""
    return _SelectorParser(tokens, may_match_all=may_match_all).run()
