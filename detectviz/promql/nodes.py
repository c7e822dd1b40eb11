"""The syntax tree: frozen nodes, each with its byte span."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from detectviz.promql.positions import Span
from detectviz.tsdb.interface import Matcher


class ValueType(StrEnum):
    """The four types of PromQL, named as Prometheus' messages name them."""

    SCALAR = "scalar"
    STRING = "string"
    VECTOR = "instant vector"
    MATRIX = "range vector"


class Anchor(StrEnum):
    """Symbolic times after ``@``."""

    START = "start()"
    END = "end()"


class Extension(StrEnum):
    """What a selector does about samples beyond the edges of its window."""

    ANCHORED = "anchored"
    SMOOTHED = "smoothed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLiteral:
    """A number, or a duration used as one (seconds)."""

    value: float
    is_duration: bool = False
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class StringLiteral:
    """A string, unquoted."""

    value: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorSelector:
    """Series by matchers (the metric name among them); times in milliseconds.

    Here and below a duration that depends on the query's bounds is an ``…_expression`` in
    seconds until ``durations.resolve_durations`` has computed it.
    """

    name: str | None
    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    offset_expression: "Expression | None" = None
    at: int | Anchor | None = None
    extension: Extension | None = None
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSelector:
    """A selector with a range; offset, ``@`` and extension live in the selector."""

    selector: VectorSelector
    range_ms: int
    range_expression: "Expression | None" = None
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Subquery:
    """An expression evaluated over a range at a resolution (None: the engine's default)."""

    expression: "Expression"
    range_ms: int
    range_expression: "Expression | None" = None
    step_ms: int | None
    step_expression: "Expression | None" = None
    offset_ms: int = 0
    offset_expression: "Expression | None" = None
    at: int | Anchor | None = None
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Parenthesis:
    """An expression in parentheses."""

    expression: "Expression"
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary:
    """``-`` or ``+`` before an expression."""

    operator: str
    operand: "Expression"
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How series of two vectors find each other.

    ``group`` is None for one-to-one, else ``left`` or ``right``: the side with many series.
    ``fill_left`` stands in for samples missing on the side of many, ``fill_right`` on the other.
    """

    is_on: bool = False
    labels: tuple[str, ...] = ()
    group: str | None = None
    include: tuple[str, ...] = ()
    fill_left: float | None = None
    fill_right: float | None = None

    @property
    def is_filled(self) -> bool:
        """Whether any side has a stand-in."""
        return self.fill_left is not None or self.fill_right is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """Two expressions and an operator; ``matching`` is None when nothing was written."""

    operator: str
    left: "Expression"
    right: "Expression"
    is_bool: bool = False
    matching: Matching | None = None
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation:
    """An aggregation; ``parameter`` only for those that take one."""

    operator: str
    expression: "Expression"
    parameter: "Expression | None" = None
    grouping: tuple[str, ...] = ()
    is_without: bool = False
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function call."""

    function: str
    arguments: tuple["Expression", ...]
    span: Span


Expression: TypeAlias = (
    NumberLiteral
    | StringLiteral
    | VectorSelector
    | MatrixSelector
    | Subquery
    | Parenthesis
    | Unary
    | Binary
    | Aggregation
    | Call
)


def unwrap(node: Expression) -> Expression:
    """Return the expression inside any parentheses."""
    while isinstance(node, Parenthesis):
        node = node.expression
    return node


def children(node: Expression) -> tuple[Expression, ...]:
    """Return the expressions directly below ``node``."""
    match node:
        case MatrixSelector():
            return (node.selector,)
        case Parenthesis() | Subquery():
            return (node.expression,)
        case Unary():
            return (node.operand,)
        case Binary():
            return (node.left, node.right)
        case Aggregation():
            first = () if node.parameter is None else (node.parameter,)
            return (*first, node.expression)
        case Call():
            return node.arguments
        case _:
            return ()


def walk(node: Expression) -> Iterator[Expression]:
    """Yield ``node`` and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def with_children(node: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """Return a copy of ``node`` with ``change`` applied to the expressions directly below it."""
    match node:
        case MatrixSelector():
            selector = change(node.selector)
            assert isinstance(selector, VectorSelector)
            return replace(node, selector=selector)
        case Parenthesis() | Subquery():
            return replace(node, expression=change(node.expression))
        case Unary():
            return replace(node, operand=change(node.operand))
        case Binary():
            return replace(node, left=change(node.left), right=change(node.right))
        case Aggregation():
            parameter = None if node.parameter is None else change(node.parameter)
            return replace(node, expression=change(node.expression), parameter=parameter)
        case Call():
            return replace(node, arguments=tuple(change(one) for one in node.arguments))
        case _:
            return node


def transformed(node: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """Return a copy with ``change`` applied to every node, the lowest first."""
    return change(with_children(node, lambda child: transformed(child, change)))
