"""From text to tokens with byte positions."""

import re
from dataclasses import dataclass
from enum import Enum

from detectviz.promql.errors import ParseError
from detectviz.promql.positions import Span, byte_offsets


class Kind(Enum):
    """What a token is; the value is its name in error messages."""

    NUMBER = "number"
    DURATION = "duration"
    STRING = "string"
    IDENTIFIER = "identifier"
    OPERATOR = "operator"
    END = "end of input"


@dataclass(frozen=True, slots=True)
class Token:
    """One lexeme; ``lowered`` is its text for keyword comparison (empty for strings)."""

    kind: Kind
    text: str
    lowered: str
    span: Span


_DURATION = "".join(f"(?:[0-9]+{unit})?" for unit in ("y", "w", "d", "h", "m(?!s)", "s", "ms"))
_TOKEN = re.compile(  # noqa: TID251 - our own constant, read at import
    rf"""
    (?P<blank> [ \t\r\n]+ | \#[^\n]* )
  | (?P<STRING> "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `[^`]*` )
  | (?P<DURATION> (?=[0-9]+(?:ms|[smhdwy])) {_DURATION} (?![\w.]) )
  | (?P<NUMBER> 0[xX][0-9a-fA-F_]+ (?![\w.])
              | (?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)? (?![\w.])
              | (?:[iI][nN][fF]|[nN][aA][nN]) (?![\w:]) )
  | (?P<IDENTIFIER> [a-zA-Z_:][a-zA-Z0-9_:]* )
  | (?P<OPERATOR> </ | >/ | =~ | !~ | == | != | <= | >= | [-+*/%^<>=@(){{}}\[\],:] )
    """,
    re.VERBOSE | re.ASCII,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}
_NAMES = {
    "(": "parenthesis", ")": "parenthesis", "[": "bracket",
    "]": "bracket", "{": "brace", "}": "brace",
}  # fmt: skip
_BAD_NUMBER = re.compile(r"[0-9.][\w.]*", re.ASCII)  # noqa: TID251 - our own constant


class _Lexer:
    def __init__(self, query: str) -> None:
        self.query = query
        self.offsets = byte_offsets(query)
        self.tokens: list[Token] = []
        self.open: list[tuple[str, int]] = []

    def run(self) -> list[Token]:
        """Return all tokens, the last of kind END."""
        position, length = 0, len(self.query)
        while position < length:
            position = self._step(position)
        if self.open:
            bracket, _ = self.open[-1]
            raise self._error(f"unclosed left {_NAMES[bracket]}", length, length)
        self._add(Kind.END, "", length, length)
        return self.tokens

    def _step(self, position: int) -> int:
        if self.query[position] == ":" and self.open and self.open[-1][0] == "[":
            self._add(Kind.OPERATOR, ":", position, position + 1)
            return position + 1
        match = _TOKEN.match(self.query, position)
        if match is None:
            raise self._unexpected(position)
        if match.lastgroup != "blank":
            kind = Kind[match.lastgroup or "END"]
            self._balance(match.group(), position, kind)
            self._add(kind, match.group(), position, match.end())
        return match.end()

    def _balance(self, text: str, position: int, kind: Kind) -> None:
        if kind is not Kind.OPERATOR:
            return
        if text in _PAIRS.values():
            self.open.append((text, position))
        elif text in _PAIRS:
            if not self.open or self.open[-1][0] != _PAIRS[text]:
                name = f"unexpected right {_NAMES[text]} {text!r}"
                raise self._error(name, position, position + 1)
            self.open.pop()

    def _unexpected(self, position: int) -> ParseError:
        character = self.query[position]
        if character in "\"'`":
            kind = "unterminated raw string" if character == "`" else "unterminated quoted string"
            return self._error(kind, position, len(self.query))
        number = _BAD_NUMBER.match(self.query, position)
        if number is not None:
            text = number.group()
            message = f'bad number or duration syntax: "{text}"'
            return self._error(message, position, number.end())
        return self._error(f"unexpected character: {character!r}", position, position + 1)

    def _span(self, start: int, end: int) -> Span:
        if self.offsets is None:
            return Span(start=start, end=end)
        return Span(start=self.offsets[start], end=self.offsets[end])

    def _add(self, kind: Kind, text: str, start: int, end: int) -> None:
        lowered = "" if kind is Kind.STRING else text.lower()
        self.tokens.append(Token(kind, text, lowered, self._span(start, end)))

    def _error(self, message: str, start: int, end: int) -> ParseError:
        span = self._span(start, end)
        return ParseError(message, span.start, span.end, self.query)


def tokenize(query: str) -> list[Token]:
    """Return the tokens of ``query``, ending with one of kind END; ParseError if it has none."""
    return _Lexer(query).run()
