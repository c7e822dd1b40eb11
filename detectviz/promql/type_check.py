"""Static types of expressions, checked as Prometheus checks them."""

from detectviz.promql import nodes
from detectviz.promql.errors import ParseError
from detectviz.promql.nodes import ValueType
from detectviz.promql.signatures import (
    COMPARISONS,
    FUNCTIONS,
    PARAMETER_TYPES,
    SET_OPERATORS,
    TRIMS,
)

_OPERANDS = frozenset({ValueType.SCALAR, ValueType.VECTOR})


def check_types(expression: nodes.Expression, query: str) -> ValueType:
    """Return the type of ``expression``; ParseError where a part has the wrong one."""
    return _Checker(query).type_of(expression)


def result_type(expression: nodes.Expression) -> ValueType:
    """Return the type of a checked expression."""
    return check_types(expression, "")


class _Checker:
    def __init__(self, query: str) -> None:
        self.query = query

    def type_of(self, node: nodes.Expression) -> ValueType:
        match node:
            case nodes.NumberLiteral():
                return ValueType.SCALAR
            case nodes.StringLiteral():
                return ValueType.STRING
            case nodes.VectorSelector():
                return ValueType.VECTOR
            case nodes.MatrixSelector():
                return ValueType.MATRIX
            case nodes.Parenthesis():
                return self.type_of(node.expression)
            case _:
                return self._composed(node)

    def _composed(self, node: nodes.Expression) -> ValueType:
        match node:
            case nodes.Subquery():
                return self._subquery(node)
            case nodes.Unary():
                return self._unary(node)
            case nodes.Binary():
                return self._binary(node)
            case nodes.Aggregation():
                return self._aggregation(node)
            case nodes.Call():
                return self._call(node)
        raise TypeError(f"unknown node {node!r}")

    def _error(self, message: str, node: nodes.Expression) -> ParseError:
        return ParseError(message, node.span.start, node.span.end, self.query)

    def _expect(self, node: nodes.Expression, wanted: ValueType, context: str) -> None:
        found = self.type_of(node)
        if found is not wanted:
            message = f"expected type {wanted.value} in {context}, got {found.value}"
            raise self._error(message, node)

    def _subquery(self, node: nodes.Subquery) -> ValueType:
        found = self.type_of(node.expression)
        if found is not ValueType.VECTOR:
            message = f"subquery is only allowed on instant vector, got {found.value} instead"
            raise self._error(message, node)
        return ValueType.MATRIX

    def _unary(self, node: nodes.Unary) -> ValueType:
        found = self.type_of(node.operand)
        if found not in _OPERANDS:
            message = (
                "unary expression only allowed on expressions of type scalar or "
                f'instant vector, got "{found.value}"'
            )
            raise self._error(message, node)
        return found

    def _binary(self, node: nodes.Binary) -> ValueType:
        types = {self.type_of(node.left), self.type_of(node.right)}
        if not types <= _OPERANDS:
            message = "binary expression must contain only scalar and instant vector types"
            raise self._error(message, node)
        has_scalar = ValueType.SCALAR in types
        only_scalars = types == {ValueType.SCALAR}
        if only_scalars and node.operator in COMPARISONS and not node.is_bool:
            raise self._error("comparisons between scalars must use BOOL modifier", node)
        if only_scalars and node.operator in TRIMS:
            message = f'operator "{node.operator}" not allowed for Scalar operations'
            raise self._error(message, node)
        if has_scalar and node.operator in SET_OPERATORS:
            message = f'set operator "{node.operator}" not allowed in binary scalar expression'
            raise self._error(message, node)
        matching = node.matching
        if has_scalar and matching is not None and (matching.labels or matching.is_filled):
            raise self._error("vector matching only allowed between instant vectors", node)
        return ValueType.SCALAR if only_scalars else ValueType.VECTOR

    def _aggregation(self, node: nodes.Aggregation) -> ValueType:
        self._expect(node.expression, ValueType.VECTOR, "aggregation expression")
        if node.parameter is not None:
            wanted = PARAMETER_TYPES[node.operator]
            self._expect(node.parameter, wanted, "aggregation parameter")
        return ValueType.VECTOR

    def _call(self, node: nodes.Call) -> ValueType:
        signature = FUNCTIONS[node.function]
        self._check_count(node)
        types = signature.arguments
        for index, argument in enumerate(node.arguments):
            wanted = types[min(index, len(types) - 1)]
            self._expect(argument, wanted, f'call to function "{node.function}"')
        self._check_info(node)
        return signature.result

    def _check_info(self, node: nodes.Call) -> None:
        """Refuse a second argument of ``info`` that is more than matchers in braces."""
        if node.function != "info" or len(node.arguments) == 1:
            return
        selector = node.arguments[1]
        if not isinstance(selector, nodes.VectorSelector) or selector.name is not None:
            raise self._error("expected label selectors only", selector)

    def _check_count(self, node: nodes.Call) -> None:
        signature = FUNCTIONS[node.function]
        most = len(signature.arguments)
        least = most - signature.optional
        given = len(node.arguments)
        where = f'argument(s) in call to "{node.function}", got {given}'
        if least == most and given != most:
            raise self._error(f"expected {most} {where}", node)
        if given < least:
            raise self._error(f"expected at least {least} {where}", node)
        if given > most and not signature.repeats:
            raise self._error(f"expected at most {most} {where}", node)
