"""What expressions have in common once their literals are taken out.

Two expressions have one shape if they differ in nothing but numbers that are operands and in
values that labels must equal; then one evaluation can answer both (``fusing.py``).
"""

from collections.abc import Hashable
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from detectviz.promql import nodes
from detectviz.tsdb.interface import METRIC_NAME, Matcher, MatchOp

NUMBER = -1
_TAKEN = ("literal",)
Slot: TypeAlias = tuple[int, int]  # a node's place, and the matcher's (NUMBER for a literal)

# Functions whose result for some series does not depend on the other series of their argument,
# except where labels become equal, and which keep the labels they don't set.
_SERIESWISE = """
    abs acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad sgn sin sinh
    sqrt tan tanh clamp clamp_max clamp_min round timestamp day_of_month day_of_week day_of_year
    days_in_month hour minute month year label_replace label_join
    histogram_avg histogram_count histogram_fraction histogram_quantile histogram_stddev
    histogram_stdvar histogram_sum
    absent absent_over_time vector rate increase delta irate idelta changes resets deriv
    predict_linear quantile_over_time avg_over_time count_over_time first_over_time last_over_time
    mad_over_time max_over_time min_over_time present_over_time stddev_over_time stdvar_over_time
    sum_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time
    ts_of_min_over_time
"""
FUSED_FUNCTIONS = frozenset(_SERIESWISE.split())
FUSED_AGGREGATIONS = frozenset({"sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"})
_PARAMETERS = frozenset({"vector"})  # functions whose number may differ between members


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An expression taken apart: ``key`` is equal for equal shapes.

    ``places`` are its nodes in the order of the walk, ``slots`` where literals were taken out and
    ``literals`` what stood there (a number or a label's value).
    """

    key: Hashable
    places: tuple[nodes.Expression, ...]
    slots: tuple[Slot, ...]
    literals: tuple[float | str, ...]


def shape_of(expression: nodes.Expression) -> Shape:
    """Take an expression apart."""
    walk = _Walk()
    key = walk.key(expression, is_open=True)
    return Shape(
        key=key,
        places=tuple(walk.places),
        slots=tuple(walk.slots),
        literals=tuple(walk.literals),
    )


@dataclass(slots=True)
class _Walk:
    places: list[nodes.Expression] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    literals: list[float | str] = field(default_factory=list)

    def key(self, node: nodes.Expression, *, is_open: bool) -> Hashable:
        """Return what of a node belongs to the shape; all of it unless ``is_open``."""
        place = len(self.places)
        self.places.append(node)
        names = [one.name for one in fields(node) if one.name != "span"]
        parts = [self._part(node, name, place, is_open=is_open) for name in names]
        return (type(node).__name__, *parts)

    def _part(self, node: nodes.Expression, name: str, place: int, *, is_open: bool) -> Hashable:
        value: Any = getattr(node, name)
        if isinstance(node, nodes.NumberLiteral) and name == "value":
            return repr(value) if not is_open else self._take((place, NUMBER), value)
        if isinstance(node, nodes.VectorSelector) and name == "matchers":
            is_plain = node.extension is None
            return self._matchers(value, place, is_open=is_open and is_plain)
        if isinstance(value, tuple) and value and is_node(value[0]):
            opened = [is_open and _is_open(node, each) for each in value]
            pairs = zip(value, opened, strict=True)
            return tuple(self.key(each, is_open=is_one) for each, is_one in pairs)
        if is_node(value):
            is_parameter = name == "parameter" or name.endswith("_expression")
            return self.key(value, is_open=is_open and not is_parameter and _is_open(node, value))
        hashable: Hashable = value
        return hashable

    def _matchers(self, matchers: tuple[Matcher, ...], place: int, *, is_open: bool) -> Hashable:
        parts: list[Hashable] = []
        for at, matcher in enumerate(matchers):
            is_taken = is_open and matcher.op is MatchOp.EQUAL and matcher.name != METRIC_NAME
            value = self._take((place, at), matcher.value) if is_taken else matcher.value
            parts.append((matcher.name, matcher.op, value))
        return tuple(parts)

    def _take(self, slot: Slot, value: float | str) -> Hashable:
        """Take a literal out; return what stands in its place in the key."""
        self.slots.append(slot)
        self.literals.append(value)
        return _TAKEN


def is_node(value: object) -> bool:
    """Tell whether a value is a node of the syntax tree."""
    return isinstance(value, nodes.Expression)


def _is_open(node: nodes.Expression, child: nodes.Expression) -> bool:
    """Tell whether literals below ``child`` may differ between the members of a shape."""
    if isinstance(node, nodes.Aggregation):
        return node.operator in FUSED_AGGREGATIONS
    if not isinstance(node, nodes.Call):
        return True
    if node.function not in FUSED_FUNCTIONS:
        return False
    return node.function in _PARAMETERS or not _is_number(child)


def _is_number(node: nodes.Expression) -> bool:
    inner = nodes.unwrap(node)
    match inner:
        case nodes.NumberLiteral() | nodes.StringLiteral():
            return True
        case nodes.Unary():
            return _is_number(inner.operand)
        case nodes.Binary():
            return _is_number(inner.left) and _is_number(inner.right)
        case nodes.Call():
            return inner.function in {"scalar", "time", "pi", "start", "end", "step", "range"}
        case _:
            return False
