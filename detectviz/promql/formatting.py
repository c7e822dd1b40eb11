"""From the syntax tree back to text that parses to the same tree."""

from detectviz.contracts.durations import format_duration
from detectviz.promql import nodes
from detectviz.promql.labels import is_plain_label_name, is_plain_metric_name
from detectviz.promql.numbers import format_number
from detectviz.promql.quoting import quote
from detectviz.promql.signatures import (
    PRECEDENCE,
    RIGHT_ASSOCIATIVE,
    SET_OPERATORS,
    UNARY_PRECEDENCE,
)
from detectviz.tsdb.interface import METRIC_NAME, Matcher, MatchOp

_MS_PER_S = 1000
_RESERVED = frozenset(
    {"bool", "on", "ignoring", "group_left", "group_right", "atan2", "inf", "nan"}
)


def format_expression(node: nodes.Expression) -> str:
    """Return the canonical text of ``node``.

    Parentheses are added only where a tree that was not parsed needs them.
    """
    match node:
        case nodes.NumberLiteral():
            return _number(node)
        case nodes.StringLiteral():
            return quote(node.value)
        case nodes.VectorSelector():
            return _selector(node) + _modifiers(node)
        case nodes.MatrixSelector():
            window = f"[{_duration(node.range_ms, node.range_expression)}]"
            return _selector(node.selector) + window + _modifiers(node.selector)
        case nodes.Parenthesis():
            return f"({format_expression(node.expression)})"
        case _:
            return _composed(node)


def _composed(node: nodes.Expression) -> str:
    match node:
        case nodes.Subquery():
            step = "" if node.step_ms is None else _duration(node.step_ms, node.step_expression)
            window = f"[{_duration(node.range_ms, node.range_expression)}:{step}]"
            return _operand(node.expression, PRECEDENCE["^"]) + window + _modifiers(node)
        case nodes.Unary():
            is_unary = isinstance(node.operand, nodes.Unary)
            return node.operator + _operand(
                node.operand, UNARY_PRECEDENCE, is_equal_enough=is_unary
            )
        case nodes.Binary():
            return _binary(node)
        case nodes.Aggregation():
            return _aggregation(node)
        case nodes.Call():
            arguments = ", ".join(format_expression(argument) for argument in node.arguments)
            return f"{node.function}({arguments})"
    raise TypeError(f"unknown node {node!r}")


def _number(node: nodes.NumberLiteral) -> str:
    if node.is_duration:
        return ("-" if node.value < 0 else "") + format_duration(abs(node.value))
    return format_number(node.value).removeprefix("+")


def _duration(milliseconds: int, expression: nodes.Expression | None = None) -> str:
    if expression is not None:
        return format_expression(expression)
    return format_duration(milliseconds / _MS_PER_S)


def _label(name: str) -> str:
    return name if is_plain_label_name(name) else quote(name)


def _labels(names: tuple[str, ...]) -> str:
    return "(" + ", ".join(_label(name) for name in names) + ")"


def _selector(node: nodes.VectorSelector) -> str:
    matchers = list(node.matchers)
    name = node.name or ""
    parts: list[str] = []
    if node.name is not None:
        matchers.remove(Matcher(METRIC_NAME, MatchOp.EQUAL, node.name))
        if not is_plain_metric_name(name) or name.lower() in _RESERVED:
            parts.append(quote(name))
            name = ""
    parts += [f"{_label(one.name)}{one.op}{quote(one.value)}" for one in matchers]
    return name + ("{" + ", ".join(parts) + "}" if parts else "")


def _modifiers(node: nodes.VectorSelector | nodes.Subquery) -> str:
    text = ""
    if isinstance(node, nodes.VectorSelector) and node.extension is not None:
        text += f" {node.extension}"
    if isinstance(node.at, nodes.Anchor):
        text += f" @ {node.at}"
    elif node.at is not None:
        text += f" @ {node.at / _MS_PER_S:.3f}"
    if node.offset_expression is not None:
        text += f" offset {format_expression(node.offset_expression)}"
    elif node.offset_ms:
        sign = "-" if node.offset_ms < 0 else ""
        text += f" offset {sign}{_duration(abs(node.offset_ms))}"
    return text


def _operand(node: nodes.Expression, minimum: int, *, is_equal_enough: bool = False) -> str:
    """Return an operand, in parentheses if it binds no tighter than ``minimum``."""
    text = format_expression(node)
    strength = _strength(node)
    enough = strength > minimum or (is_equal_enough and strength == minimum)
    return text if enough else f"({text})"


def _strength(node: nodes.Expression) -> int:
    if isinstance(node, nodes.Binary):
        return PRECEDENCE[node.operator]
    is_signed = isinstance(node, nodes.Unary) or (
        isinstance(node, nodes.NumberLiteral) and format_expression(node)[0] == "-"
    )
    return UNARY_PRECEDENCE if is_signed else max(PRECEDENCE.values()) + 1


def _binary(node: nodes.Binary) -> str:
    precedence = PRECEDENCE[node.operator]
    is_right = node.operator in RIGHT_ASSOCIATIVE
    left = _operand(node.left, precedence, is_equal_enough=not is_right)
    right = _right_operand(node, precedence, is_right=is_right)
    operator = node.operator + (" bool" if node.is_bool else "")
    matching = "" if node.matching is None else " " + _matching(node.matching, node.operator)
    return f"{left} {operator}{matching} {right}"


def _right_operand(node: nodes.Binary, precedence: int, *, is_right: bool) -> str:
    if isinstance(node.right, nodes.Unary | nodes.NumberLiteral):
        return format_expression(node.right)
    return _operand(node.right, precedence, is_equal_enough=is_right)


def _matching(matching: nodes.Matching, operator: str) -> str:
    parts: list[str] = []
    if matching.is_on or matching.labels or matching.group or not matching.is_filled:
        parts.append(("on " if matching.is_on else "ignoring ") + _labels(matching.labels))
    if matching.group is not None and operator not in SET_OPERATORS:
        parts.append(f"group_{matching.group} {_labels(matching.include)}")
    for side, value in (("left", matching.fill_left), ("right", matching.fill_right)):
        if value is not None:
            parts.append(f"fill_{side} ({format_number(value).removeprefix('+')})")
    return " ".join(parts)


def _aggregation(node: nodes.Aggregation) -> str:
    clause = ""
    if node.is_without or node.grouping:
        clause = f" {'without' if node.is_without else 'by'} {_labels(node.grouping)} "
    arguments = [node.expression] if node.parameter is None else [node.parameter, node.expression]
    inside = ", ".join(format_expression(argument) for argument in arguments)
    return f"{node.operator}{clause}({inside})"
