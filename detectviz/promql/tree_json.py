"""Syntax trees as Prometheus' ``parse_query`` shows them (``web/api/v1/translate_ast.go``)."""

from collections.abc import Sequence
from typing import Any

from detectviz.promql import nodes
from detectviz.promql.numbers import format_number
from detectviz.promql.signatures import COMPARISONS, FUNCTIONS, SET_OPERATORS
from detectviz.promql.type_check import result_type
from detectviz.tsdb.interface import Matcher

_TYPES = {
    nodes.ValueType.SCALAR: "scalar",
    nodes.ValueType.STRING: "string",
    nodes.ValueType.VECTOR: "vector",
    nodes.ValueType.MATRIX: "matrix",
}
_CARDS = {None: "one-to-one", "left": "many-to-one", "right": "one-to-many"}


def tree_json(node: nodes.Expression) -> dict[str, Any]:
    """Return a node and all below it as objects with a ``type`` each; durations in ms."""
    match node:
        case nodes.NumberLiteral():
            return {"type": "numberLiteral", "val": format_number(node.value)}
        case nodes.StringLiteral():
            return {"type": "stringLiteral", "val": node.value}
        case nodes.Parenthesis():
            return {"type": "parenExpr", "expr": tree_json(node.expression)}
        case nodes.Unary():
            return {"type": "unaryExpr", "op": node.operator, "expr": tree_json(node.operand)}
        case nodes.VectorSelector():
            return {"type": "vectorSelector", **_selector(node)}
        case nodes.MatrixSelector():
            window = {"type": "matrixSelector", "range": node.range_ms}
            return {**window, **_selector(node.selector)}
        case _:
            return _composed(node)


def _composed(node: nodes.Expression) -> dict[str, Any]:
    match node:
        case nodes.Subquery():
            inner = {"type": "subquery", "expr": tree_json(node.expression)}
            return {**inner, "range": node.range_ms, "step": node.step_ms or 0, **_moved(node)}
        case nodes.Aggregation():
            parameter = None if node.parameter is None else tree_json(node.parameter)
            return {
                "type": "aggregation",
                "op": node.operator,
                "expr": tree_json(node.expression),
                "param": parameter,
                "grouping": list(node.grouping),
                "without": node.is_without,
            }
        case nodes.Binary():
            return _binary(node)
        case nodes.Call():
            arguments = [tree_json(argument) for argument in node.arguments]
            return {"type": "call", "func": _function(node.function), "args": arguments}
    raise TypeError(f"no expression: {node!r}")


def _binary(node: nodes.Binary) -> dict[str, Any]:
    vectors = all(result_type(side) is nodes.ValueType.VECTOR for side in (node.left, node.right))
    return {
        "type": "binaryExpr",
        "op": node.operator,
        "lhs": tree_json(node.left),
        "rhs": tree_json(node.right),
        "bool": node.is_bool if node.operator in COMPARISONS else False,
        "matching": _matching(node) if vectors else None,
    }


def _matching(node: nodes.Binary) -> dict[str, Any]:
    matching = node.matching or nodes.Matching()
    is_set = node.operator in SET_OPERATORS
    shown: dict[str, Any] = {
        "card": "many-to-many" if is_set else _CARDS[matching.group],
        "labels": list(matching.labels),
        "on": matching.is_on,
        "include": list(matching.include),
    }
    if matching.is_filled:
        shown["fillValues"] = {"lhs": matching.fill_left, "rhs": matching.fill_right}
    return shown


def _function(name: str) -> dict[str, Any]:
    signature = FUNCTIONS[name]
    variadic = -1 if signature.repeats else signature.optional
    return {
        "name": name,
        "argTypes": [_TYPES[each] for each in signature.arguments],
        "variadic": variadic,
        "returnType": _TYPES[signature.result],
    }


def _selector(node: nodes.VectorSelector) -> dict[str, Any]:
    extended = {} if node.extension is None else {node.extension.value: True}
    return {
        "name": node.name or "",
        "matchers": _matchers(node.matchers),
        **_moved(node),
        **extended,
    }


def _matchers(matchers: Sequence[Matcher]) -> list[dict[str, str]]:
    return [{"name": one.name, "value": one.value, "type": one.op.value} for one in matchers]


def _moved(node: nodes.VectorSelector | nodes.Subquery) -> dict[str, Any]:
    return {
        "offset": node.offset_ms,
        "timestamp": node.at if isinstance(node.at, int) else None,
        "startOrEnd": node.at.value.removesuffix("()")
        if isinstance(node.at, nodes.Anchor)
        else None,
    }
