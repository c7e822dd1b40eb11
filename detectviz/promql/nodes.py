"""The syntax tree: frozen nodes, each with its byte span."""

from dataclasses import dataclass
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
    """Series by matchers (the metric name among them); times in milliseconds."""

    name: str | None
    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    at: int | Anchor | None = None
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSelector:
    """A selector with a range; offset and ``@`` live in the selector."""

    selector: VectorSelector
    range_ms: int
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Subquery:
    """An expression evaluated over a range at a resolution (None: the engine's default)."""

    expression: "Expression"
    range_ms: int
    step_ms: int | None
    offset_ms: int = 0
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
    """

    is_on: bool = False
    labels: tuple[str, ...] = ()
    group: str | None = None
    include: tuple[str, ...] = ()


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
