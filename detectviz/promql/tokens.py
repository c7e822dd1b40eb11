"""A cursor over tokens, with the errors a parser raises there."""

from detectviz.promql.errors import ParseError
from detectviz.promql.lexer import Kind, Token, tokenize
from detectviz.promql.positions import Span
from detectviz.promql.quoting import unquote
from detectviz.promql.signatures import AGGREGATIONS, PRECEDENCE

_WORDS = """offset smoothed anchored by without on ignoring group_left group_right bool start
    end step range fill fill_left fill_right"""
_KEYWORDS = frozenset(_WORDS.split())
_BRACKETS = {
    "(": "left parenthesis '('", ")": "right parenthesis ')'", "{": "left brace '{'",
    "}": "right brace '}'", "[": "left bracket '['", "]": "right bracket ']'",
}  # fmt: skip


class TokenStream:
    """The tokens of one query and how far they have been read."""

    def __init__(self, query: str) -> None:
        self.query = query
        self.last_end = 0
        self._tokens = tokenize(query)
        self._index = 0

    def peek(self, ahead: int = 0) -> Token:
        """Return a coming token without taking it; END beyond the end."""
        return self._tokens[min(self._index + ahead, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Return the next token and step past it."""
        token = self.peek()
        self._index += 1
        self.last_end = token.span.end
        return token

    def accept(self, *words: str) -> Token | None:
        """Take the next token if it is one of these operators or keywords."""
        token = self.peek()
        if token.kind is Kind.STRING or token.lowered not in words:
            return None
        return self.take()

    def expect(self, word: str, context: str, wanted: str | None = None) -> Token:
        """Take this operator or raise ParseError."""
        token = self.accept(word)
        if token is None:
            raise self.unexpected(self.peek(), context, wanted or f'"{word}"')
        return token

    def label_name(self, context: str) -> str:
        """Take a label name, bare or quoted."""
        token = self.take()
        if token.kind is Kind.STRING:
            return self.unquoted(token)
        is_word = token.kind is Kind.IDENTIFIER and ":" not in token.text
        if not is_word and not (token.kind is Kind.NUMBER and token.text.isalpha()):
            raise self.unexpected(token, context, "label")
        return token.text

    def unquoted(self, token: Token) -> str:
        """Return what a string token means, or raise ParseError for its escapes."""
        try:
            return unquote(token.text)
        except ValueError as error:
            raise self.error(str(error), token.span) from None

    def error(self, message: str, span: Span) -> ParseError:
        """Make an error at ``span``."""
        return ParseError(message, span.start, span.end, self.query)

    def unexpected(self, token: Token, context: str = "", wanted: str = "") -> ParseError:
        """Make the error for a token that does not belong here."""
        message = f"unexpected {describe(token)}"
        message += f" in {context}" if context else ""
        message += f", expected {wanted}" if wanted else ""
        return self.error(message, token.span)


def describe(token: Token) -> str:
    """Name a token as Prometheus' messages do."""
    if token.kind is Kind.END:
        return "end of input"
    if token.kind is Kind.OPERATOR and token.text in _BRACKETS:
        return _BRACKETS[token.text]
    if token.kind is not Kind.STRING:
        if token.lowered in PRECEDENCE or token.lowered in {"=~", "!~"}:
            return f"<op:{token.lowered}>"
        if token.lowered in AGGREGATIONS:
            return f"<aggr:{token.lowered}>"
        if token.lowered in _KEYWORDS:
            return f"<{token.lowered}>"
    if token.kind is Kind.OPERATOR:
        return f'"{token.text}"'
    if token.kind is Kind.STRING:
        return f"string {token.text}"
    return f'{token.kind.value} "{token.text}"'
