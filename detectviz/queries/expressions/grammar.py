"""The grammar of math expressions, Grafana's.

    or    = and {"||" and}
    and   = comp {"&&" comp}
    comp  = sum {("==" | "!=" | ">" | ">=" | "<" | "<=") sum}
    sum   = prod {("+" | "-") prod}
    prod  = pow {("*" | "/" | "%") pow}
    pow   = unary {"**" unary}
    unary = ("!" | "-") unary | "(" or ")" | number | $A | ${A B} | func "(" [or {"," or}] ")"

All binary operators bind to the left, ``**`` too, and unary minus binds closer than ``**``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import re2

from detectviz.queries.errors import ExpressionError

FUNCTIONS = {
    "abs": 1, "log": 1, "round": 1, "ceil": 1, "floor": 1,
    "is_nan": 1, "is_inf": 1, "is_null": 1, "is_number": 1,
    "nan": 0, "inf": 0, "infn": 0, "null": 0,
}  # fmt: skip
_LEVELS: Sequence[frozenset[str]] = (
    frozenset({"||"}),
    frozenset({"&&"}),
    frozenset({"==", "!=", ">", ">=", "<", "<="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
    frozenset({"**"}),
)
_LONGEST = 10_000
_DEEPEST = 60
_TOKEN = re2.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<ref>\$\{[^{}$]+\}|\$[A-Za-z0-9_]+)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<operator>\*\*|\|\||&&|==|!=|>=|<=|[-+*/%<>!(),])"
)


@dataclass(frozen=True, slots=True)
class Constant:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Reference:
    """The result of another query."""

    ref_id: str


@dataclass(frozen=True, slots=True)
class Unary:
    """``-`` or ``!``."""

    operator: str
    operand: "Node"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands."""

    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Call:
    """A function."""

    name: str
    arguments: tuple["Node", ...]


Node: TypeAlias = Constant | Reference | Unary | Binary | Call


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def parse_math(text: str) -> Node:
    """Return the tree of an expression; raise ExpressionError with the position of the mistake."""
    if len(text) > _LONGEST:
        raise ExpressionError(f"the expression is longer than {_LONGEST} characters")
    parser = _Parser([*_tokens(text), _Token("end", "", len(text))])
    node = parser.level(0)
    parser.expect_end()
    return node


def references(node: Node) -> tuple[str, ...]:
    """Return the ref ids an expression needs, each once, in order."""
    return tuple(dict.fromkeys(_walk(node)))


def shown(node: Node) -> str:
    """Return an expression's spelling."""
    match node:
        case Constant(value):
            return f"{value:g}"
        case Reference(ref_id):
            return f"${ref_id}" if ref_id.isalnum() else f"${{{ref_id}}}"
        case Unary(operator, operand):
            return f"{operator}{shown(operand)}"
        case Binary(operator, left, right):
            return f"{shown(left)} {operator} {shown(right)}"
        case Call(name, arguments):
            return f"{name}({', '.join(map(shown, arguments))})"


def _walk(node: Node) -> Iterator[str]:
    match node:
        case Reference(ref_id):
            yield ref_id
        case Unary(_, operand):
            yield from _walk(operand)
        case Binary(_, left, right):
            yield from _walk(left)
            yield from _walk(right)
        case Call(_, arguments):
            for each in arguments:
                yield from _walk(each)
        case Constant():
            return


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise ExpressionError(f"unexpected {text[position]!r} at position {position + 1}")
        kind = next(name for name, value in found.groupdict().items() if value is not None)
        if kind != "space":
            yield _Token(kind, found.group(0), position)
        position = found.end()


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def level(self, depth: int) -> Node:
        """Parse a binary level and what binds closer."""
        if depth == len(_LEVELS):
            return self._unary()
        node = self.level(depth + 1)
        chained = 0
        while self._peek().kind == "operator" and self._peek().text in _LEVELS[depth]:
            chained += 1
            if chained > _DEEPEST:  # a chain is as deep a tree as brackets are
                raise ExpressionError(f"more than {_DEEPEST} operators of one level in a row")
            node = Binary(self._next().text, node, self.level(depth + 1))
        return node

    def expect_end(self) -> None:
        """Raise unless all was read."""
        if self._peek().kind != "end":
            raise self._unexpected(self._peek())

    def _unary(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ExpressionError(f"the expression is nested deeper than {_DEEPEST}")
        try:
            return self._operand()
        finally:
            self._depth -= 1

    def _operand(self) -> Node:
        token = self._next()
        if token.kind == "number":
            return Constant(_number(token.text))
        if token.kind == "ref":
            return Reference(token.text.lstrip("$").strip("{}"))
        if token.kind == "name":
            return self._call(token)
        if token.text in {"!", "-"}:
            return Unary(token.text, self._unary())
        if token.text == "(":
            node = self.level(0)
            self._expect(")")
            return node
        raise self._unexpected(token)

    def _call(self, token: _Token) -> Call:
        if token.text not in FUNCTIONS:
            known = ", ".join(sorted(FUNCTIONS))
            raise ExpressionError(f"there is no function {token.text}; there are {known}")
        self._expect("(")
        arguments: list[Node] = []
        while self._peek().text != ")":
            if arguments:
                self._expect(",")
            arguments.append(self.level(0))
        self._expect(")")
        wanted = FUNCTIONS[token.text]
        if len(arguments) != wanted:
            raise ExpressionError(f"{token.text} takes {wanted} arguments, not {len(arguments)}")
        return Call(token.text, tuple(arguments))

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _expect(self, text: str) -> None:
        token = self._next()
        if token.text != text:
            raise self._unexpected(token, f", expected {text!r}")

    def _unexpected(self, token: _Token, more: str = "") -> ExpressionError:
        what = "end of the expression" if token.kind == "end" else repr(token.text)
        return ExpressionError(f"unexpected {what} at position {token.position + 1}{more}")


def _number(text: str) -> float:
    return float(int(text, 16)) if text[:2] in {"0x", "0X"} else float(text)
