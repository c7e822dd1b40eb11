"""Text to tokens: what stands between the actions, and the words inside them."""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from detectviz.gotemplate.errors import TemplateSyntaxError
from detectviz.gotemplate.nodes import Place

_SPACE = " \t\r\n"
_WORDS = re.compile(  # noqa: TID251 - our own constant, read at import
    r"""
    (?P<SPACE>[ \t\r\n]+)
  | (?P<STRING>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
  | (?P<CHARACTER>'(?:[^'\\\n]|\\.[^']*)')
  | (?P<DECLARE>:=) | (?P<ASSIGN>=) | (?P<PIPE>\|) | (?P<COMMA>,)
  | (?P<LEFT>\() | (?P<RIGHT>\))
  | (?P<NUMBER>[+-]?(?:0[xX][0-9a-fA-F_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?))
  | (?P<VARIABLE>\$\w*)
  | (?P<FIELD>\.[^\W\d]\w*)
  | (?P<DOT>\.)
  | (?P<NAME>[^\W\d]\w*)
    """,
    re.VERBOSE,
)


class TokenKind(Enum):
    """Kinds of tokens."""

    TEXT = auto()
    OPEN = auto()
    CLOSE = auto()
    SPACE = auto()
    STRING = auto()
    CHARACTER = auto()
    DECLARE = auto()
    ASSIGN = auto()
    PIPE = auto()
    COMMA = auto()
    LEFT = auto()
    RIGHT = auto()
    NUMBER = auto()
    VARIABLE = auto()
    FIELD = auto()
    DOT = auto()
    NAME = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One token and where it begins."""

    kind: TokenKind
    text: str
    place: Place


def tokens(source: str) -> Iterator[Token]:
    """Yield the tokens of a template, the last of kind END; raise TemplateSyntaxError."""
    position, trims_left = 0, False
    while True:
        start = source.find("{{", position)
        end = len(source) if start < 0 else start
        text = source[position:end]
        if trims_left:
            text = text.lstrip(_SPACE)
        trims_right = source[end + 2 : end + 3] == "-" and source[end + 3 : end + 4] in _BLANKS
        if start >= 0 and trims_right:
            text = text.rstrip(_SPACE)
        if text:
            yield Token(TokenKind.TEXT, text, place_of(source, position))
        if start < 0:
            yield Token(TokenKind.END, "", place_of(source, len(source)))
            return
        body = start + (3 if trims_right else 2)
        if source[body:].lstrip(_SPACE).startswith("/*"):
            position, trims_left = _after_comment(source, start, body)
            continue
        position, trims_left = yield from _action(source, start, body)


_BLANKS = frozenset(_SPACE)


def place_of(source: str, position: int) -> Place:
    """Return line and column of a position, from one."""
    line_start = source.rfind("\n", 0, position) + 1
    return Place(line=source.count("\n", 0, position) + 1, column=position - line_start + 1)


def _after_comment(source: str, start: int, body: int) -> tuple[int, bool]:
    end = source.find("*/", body)
    if end < 0:
        raise _error("unclosed comment", source, start)
    if source.startswith("}}", end + 2):
        return end + 4, False
    rest = source[end + 2 :].lstrip(_SPACE)
    if rest.startswith("-}}") and source[end + 2] in _BLANKS:
        return len(source) - len(rest) + 3, True
    raise _error("comment ends before closing delimiter", source, start)


def _action(source: str, start: int, position: int) -> Generator[Token, None, tuple[int, bool]]:
    """Yield an action's tokens; return where it ends and whether it trims what follows."""
    yield Token(TokenKind.OPEN, "{{", place_of(source, start))
    while True:
        if source.startswith("}}", position):
            yield Token(TokenKind.CLOSE, "}}", place_of(source, position))
            return position + 2, False
        match = _WORDS.match(source, position)
        if match is None or match.lastgroup is None:
            raise _unexpected(source, start, position)
        after = match.end()
        if match.lastgroup == "SPACE" and source.startswith("-}}", after):
            yield Token(TokenKind.CLOSE, "-}}", place_of(source, after))
            return after + 3, True
        yield Token(TokenKind[match.lastgroup], match.group(), place_of(source, position))
        position = after


def _unexpected(source: str, start: int, position: int) -> TemplateSyntaxError:
    if position >= len(source):
        return _error("unclosed action", source, start)
    if source[position] in "\"`'":
        return _error("unterminated quoted string", source, position)
    return _error(f"unexpected character {source[position]!r} in action", source, position)


def _error(message: str, source: str, position: int) -> TemplateSyntaxError:
    place = place_of(source, position)
    return TemplateSyntaxError(message, line=place.line, column=place.column)
