"""Reduce: one number for each series.

Semantics: ``pkg/expr/mathexp/reduce.go`` of Grafana. In strict mode a null or NaN makes the result
NaN (``count`` counts them, ``last`` repeats them); ``dropNN`` leaves out null, NaN and infinities;
``replaceNN`` puts a number in their place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from detectviz.contracts.frames import Notice
from detectviz.queries.expressions.values import Floats, Mask, Value, ValueKind, Values, number

Mode: TypeAlias = Literal["strict", "dropNN", "replaceNN"]
Reducer: TypeAlias = Callable[[Floats, Mask], float | None]


def _strictly(compute: Callable[[Floats], float], empty: float) -> Reducer:
    def reduce(floats: Floats, nulls: Mask) -> float:
        if not len(floats):
            return empty
        if nulls.any() or np.isnan(floats).any():
            return float("nan")
        return float(compute(floats))

    return reduce


def _count(floats: Floats, nulls: Mask) -> float:
    return float(len(floats))


def _last(floats: Floats, nulls: Mask) -> float | None:
    return _at(floats, nulls, -1)


def _first(floats: Floats, nulls: Mask) -> float | None:
    return _at(floats, nulls, 0)


def _at(floats: Floats, nulls: Mask, place: int) -> float | None:
    if not len(floats):
        return float("nan")
    return None if nulls[place] else float(floats[place])


_NAN = float("nan")
REDUCERS: Mapping[str, Reducer] = {
    "sum": _strictly(np.sum, 0.0),
    "mean": _strictly(np.mean, _NAN),
    "min": _strictly(np.min, _NAN),
    "max": _strictly(np.max, _NAN),
    "median": _strictly(np.median, _NAN),
    "stddev": _strictly(np.std, _NAN),
    "range": _strictly(np.ptp, _NAN),
    "diff": _strictly(lambda floats: floats[-1] - floats[0], _NAN),
    "diff_abs": _strictly(lambda floats: abs(floats[-1] - floats[0]), _NAN),
    "count": _count,
    "last": _last,
    "first": _first,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """How to reduce; ``replacement`` is for ``replaceNN``."""

    reducer: str
    mode: Mode = "strict"
    replacement: float = 0.0


def reduce_values(values: Values, reduction: Reduction, ref_id: str) -> Values:
    """Return a number for each series; numbers stay, no data stays."""
    found: list[Value] = []
    for place, value in enumerate(values):
        if value.is_no_data:
            found.append(value)
        elif value.is_series:
            found.append(_reduced(value, reduction))
        else:
            found.extend(_number(value, reduction, ref_id, is_first=place == 0))
    return tuple(found)


def _reduced(value: Value, reduction: Reduction) -> Value:
    floats, nulls = _mapped(value, reduction)
    with np.errstate(all="ignore"):
        result = REDUCERS[reduction.reducer](floats, nulls)
    if result is not None and np.isnan(result):
        if reduction.mode == "dropNN":
            result = None
        elif reduction.mode == "replaceNN":
            result = reduction.replacement
    return number(result, value.labels, name=value.name)


def _mapped(value: Value, reduction: Reduction) -> tuple[Floats, Mask]:
    if reduction.mode == "strict":
        return value.floats, value.nulls
    is_number = np.isfinite(value.floats) & ~value.nulls
    if reduction.mode == "dropNN":
        kept = value.floats[is_number]
    else:
        kept = np.where(is_number, value.floats, reduction.replacement)
    return kept, np.zeros(len(kept), dtype=np.bool_)


def _number(value: Value, reduction: Reduction, ref_id: str, *, is_first: bool) -> Values:
    kept = replace(value, kind=ValueKind.NUMBER, notices=())
    if reduction.mode == "strict":
        text = f"Reduce operation is not needed. {ref_id} is already reduced data."
        notices = (Notice(severity="warning", text=text),) if is_first else ()
        return (replace(kept, notices=notices),)
    floats, nulls = _mapped(kept, reduction)
    if not len(floats):
        return ()
    return (replace(kept, floats=floats, nulls=nulls),)
