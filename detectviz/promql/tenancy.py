"""The tenant enforced on the syntax tree, for queries that another engine evaluates."""

from dataclasses import replace

from detectviz.promql import nodes
from detectviz.promql.errors import UnsupportedError
from detectviz.tsdb.interface import Matcher, MatchOp


def with_tenant(
    expression: nodes.Expression, *, label: str, tenant: str, text: str = ""
) -> nodes.Expression:
    """Return the expression with ``label="tenant"`` demanded by every selector.

    Whatever names the label itself is refused: a matcher, a grouping, a matching of vectors, or a
    string (``label_replace`` and ``count_values`` take names as strings). So is ``info()``, whose
    second selector is implied.

    Raises:
        UnsupportedError: with the position in ``text``.

    """
    wanted = Matcher(label, MatchOp.EQUAL, tenant)
    for node in nodes.walk(expression):
        _refuse(node, label, text)

    def change(node: nodes.Expression) -> nodes.Expression:
        if isinstance(node, nodes.VectorSelector):
            return replace(node, matchers=(*node.matchers, wanted))
        return node

    return nodes.transformed(expression, change)


def _refuse(node: nodes.Expression, label: str, text: str) -> None:
    if isinstance(node, nodes.Call) and node.function == "info":
        raise _unsupported("info() in a query that another server evaluates", node, text)
    if label in _names(node):
        raise _unsupported(f"the reserved label {label!r}", node, text)


def _names(node: nodes.Expression) -> tuple[str, ...]:
    match node:
        case nodes.VectorSelector():
            return tuple(matcher.name for matcher in node.matchers)
        case nodes.Aggregation():
            return node.grouping
        case nodes.Binary() if node.matching is not None:
            return (*node.matching.labels, *node.matching.include)
        case nodes.StringLiteral():
            return (node.value,)
        case _:
            return ()


def _unsupported(what: str, node: nodes.Expression, text: str) -> UnsupportedError:
    return UnsupportedError(what, node.span.start, node.span.end, text)
