"""Math over queries' results.

Semantics: ``pkg/expr/mathexp`` of Grafana. Two operands meet when their labels are equal, when one
has none, or when one's contain the other's; points of two series meet at equal times; what meets
nothing is dropped and a notice says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from detectviz.contracts.frames import Notice
from detectviz.contracts.types import Labels
from detectviz.queries.errors import ExpressionError
from detectviz.queries.expressions.grammar import (
    Binary,
    Call,
    Constant,
    Node,
    Reference,
    Unary,
    shown,
)
from detectviz.queries.expressions.values import (
    Floats,
    Mask,
    Value,
    ValueKind,
    Values,
    no_data,
    scalar,
)

_MOST_PAIRS = 10_000_000
_MOST_VALUES = 100_000
_MOST_SHOWN = 5
_CONSTANTS = {"nan": float("nan"), "inf": float("inf"), "infn": float("-inf"), "null": None}


@dataclass(slots=True)
class _State:
    inputs: Mapping[str, Values]
    dropped: dict[str, list[Labels]] = field(default_factory=dict)


def evaluate_math(node: Node, inputs: Mapping[str, Values]) -> Values:
    """Return what an expression comes to; ``inputs`` are the results by ref id."""
    state = _State(inputs)
    with np.errstate(all="ignore"):
        values = _evaluate(node, state)
    if state.dropped and values:
        first = replace(values[0], notices=(*values[0].notices, _drop_notice(state.dropped)))
        return (first, *values[1:])
    return values


def _evaluate(node: Node, state: _State) -> Values:
    match node:
        case Constant(value):
            return (scalar(value),)
        case Reference(ref_id):
            return tuple(replace(each, notices=()) for each in state.inputs[ref_id])
        case Unary(operator, operand):
            return tuple(_unary(operator, each) for each in _evaluate(operand, state))
        case Call(name, arguments):
            if not arguments:
                return (scalar(_CONSTANTS[name]),)
            return tuple(_apply(name, each) for each in _evaluate(arguments[0], state))
        case Binary(_, left, right):
            return _binary(node, _evaluate(left, state), _evaluate(right, state), state)


def _unary(operator: str, value: Value) -> Value:
    if value.is_no_data:
        return no_data()
    floats = value.floats
    if operator == "-":
        return replace(value, floats=-floats)
    return replace(value, floats=np.where(np.isnan(floats), np.nan, (floats == 0).astype(float)))


def _round(floats: Floats) -> Floats:
    return np.trunc(floats + np.copysign(0.5, floats))  # halves go away from zero


_PER_FLOAT: Mapping[str, Callable[[Floats], Floats]] = {
    "abs": np.abs,
    "log": np.log,
    "round": _round,
    "ceil": np.ceil,
    "floor": np.floor,
    "is_nan": lambda floats: np.isnan(floats).astype(float),
    "is_inf": lambda floats: np.isinf(floats).astype(float),
}


def _apply(name: str, value: Value) -> Value:
    if value.is_no_data:
        return no_data()
    none = np.zeros(len(value.nulls), dtype=np.bool_)
    if name == "is_null":
        return replace(value, floats=value.nulls.astype(float), nulls=none)
    if name == "is_number":
        real = np.isfinite(value.floats) & ~value.nulls
        return replace(value, floats=real.astype(float), nulls=none)
    floats = _PER_FLOAT[name](value.floats)
    return replace(value, floats=np.where(value.nulls, np.nan, floats), nulls=none)


def _binary(node: Binary, left: Values, right: Values, state: _State) -> Values:
    found: list[Value] = []
    for labels, a, b in _unions(node, left, right, state):
        if a.is_no_data or b.is_no_data:
            found.append(no_data())
        else:
            found.append(_combined(node.operator, labels, a, b))
        if len(found) > _MOST_VALUES:
            raise ExpressionError(f"{shown(node)} has more than {_MOST_VALUES:,} results")
    return tuple(found)


def _unions(
    node: Binary, left: Values, right: Values, state: _State
) -> list[tuple[Labels, Value, Value]]:
    if not left or not right:
        return []
    if len(left) * len(right) > _MOST_PAIRS and not _is_plain(left, right):
        raise ExpressionError(f"{shown(node)} would compare more than {_MOST_PAIRS:,} label sets")
    is_single = len(left) == 1 or len(right) == 1
    if is_single and (left[0].is_no_data or right[0].is_no_data):
        _note_drops(node, (left, right), (set(), set()), state)
        return [({}, left[0], right[0])]
    unions: list[tuple[Labels, Value, Value]] = []
    matched: tuple[set[int], set[int]] = (set(), set())
    for i, j, labels in _pairs(left, right):
        unions.append((labels, left[i], right[j]))
        matched[0].add(i)
        matched[1].add(j)
    if not unions and len(left) == 1 and len(right) == 1:
        unions.append(({}, left[0], right[0]))
    _note_drops(node, (left, right), matched, state)
    return unions


def _is_plain(left: Values, right: Values) -> bool:
    """Tell whether all have as many labels as the others: then equality is all there is."""
    return len({len(each.labels) for each in (*left, *right)}) == 1 and bool(left[0].labels)


def _pairs(left: Values, right: Values) -> list[tuple[int, int, Labels]]:
    if _is_plain(left, right):
        places: dict[frozenset[tuple[str, str]], list[int]] = {}
        for j, each in enumerate(right):
            places.setdefault(frozenset(each.labels.items()), []).append(j)
        return [
            (i, j, each.labels)
            for i, each in enumerate(left)
            for j in places.get(frozenset(each.labels.items()), ())
        ]
    found = []
    for (i, a), (j, b) in product(enumerate(left), enumerate(right)):
        labels = _common(a.labels, b.labels)
        if labels is not None:
            found.append((i, j, labels))
    return found


def _common(a: Labels, b: Labels) -> Labels | None:
    if not a or a == b:
        return b
    if not b:
        return a
    if len(a) == len(b):
        return None
    large, small = (a, b) if len(a) > len(b) else (b, a)
    return large if small.items() <= large.items() else None


def _combined(operator: str, labels: Labels, a: Value, b: Value) -> Value:
    kind = ValueKind.NUMBER
    if a.is_series or b.is_series:
        kind = ValueKind.SERIES
    elif a.kind is b.kind is ValueKind.SCALAR:
        kind = ValueKind.SCALAR
    a_places, b_places = _places(a, b)
    a_floats, b_floats = a.floats[a_places], b.floats[b_places]
    nulls: Mask = a.nulls[a_places] | b.nulls[b_places]
    times = a.times[a_places] if a.is_series else b.times
    floats = np.broadcast_to(_operate(operator, a_floats, b_floats), nulls.shape)
    return Value(
        kind=kind, floats=floats, nulls=np.broadcast_to(nulls, floats.shape), labels=labels,
        times=times,
    )  # fmt: skip


def _places(a: Value, b: Value) -> tuple[slice | np.ndarray, slice | np.ndarray]:
    """Return where the points of both are that have equal times, in a's order."""
    everything = slice(None)
    if not (a.is_series and b.is_series) or np.array_equal(a.times, b.times):
        return everything, everything
    order = np.argsort(b.times, kind="stable")
    ordered = b.times[order]
    places = np.searchsorted(ordered, a.times, side="right") - 1  # the last of equal times
    is_met = places >= 0
    if len(ordered):
        is_met &= ordered[np.maximum(places, 0)] == a.times
    chosen = np.flatnonzero(is_met)
    return chosen, order[places[chosen]]


def _truth(test: Callable[[Floats, Floats], Mask]) -> Callable[[Floats, Floats], Floats]:
    return lambda a, b: test(a, b).astype(np.float64)


_OPERATIONS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "**": np.power,
    "==": _truth(np.equal),
    "!=": _truth(np.not_equal),
    ">": _truth(np.greater),
    "<": _truth(np.less),
    ">=": _truth(np.greater_equal),
    "<=": _truth(np.less_equal),
    "||": _truth(lambda a, b: (a != 0) | (b != 0)),
    "&&": _truth(lambda a, b: (a != 0) & (b != 0)),
}


def _operate(operator: str, a: Floats, b: Floats) -> Floats:
    result = _OPERATIONS[operator](a, b)
    is_nan = np.isnan(a) | np.isnan(b)
    # The left operand alone decides first, NaN or not, and NaN is not zero.
    if operator == "||":
        is_nan &= a == 0
    elif operator == "&&":
        is_nan &= a != 0
    return np.where(is_nan, np.nan, result)


def _note_drops(
    node: Binary, sides: tuple[Values, Values], matched: tuple[set[int], set[int]], state: _State
) -> None:
    for values, met in zip(sides, matched, strict=True):
        lost = [
            each.labels
            for place, each in enumerate(values)
            if place not in met and not each.is_no_data
        ]
        if lost:
            state.dropped.setdefault(shown(node), []).extend(lost)


def _drop_notice(dropped: Mapping[str, list[Labels]]) -> Notice:
    count = sum(map(len, dropped.values()))
    parts = []
    for text, lost in dropped.items():
        names = " ".join(_braced(labels) for labels in lost[:_MOST_SHOWN])
        more = f" and {len(lost) - _MOST_SHOWN} more" if len(lost) > _MOST_SHOWN else ""
        parts.append(f"{text}: {names}{more}")
    return Notice(
        severity="warning", text=f"{count} items dropped from union(s): {'; '.join(parts)}"
    )


def _braced(labels: Labels) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in labels.items()) + "}"
