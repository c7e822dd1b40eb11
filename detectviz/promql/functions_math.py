"""Functions of each sample's value, and conversions between scalars and vectors."""

from collections.abc import Callable
from functools import partial

import numpy as np

from detectviz.promql.calls import FunctionCall, Implementation
from detectviz.promql.vectors import StepScalar, StepVector, Value, empty_vector, single_series
from detectviz.tsdb.interface import Float64Array


def _elementwise(operation: Callable[[Float64Array], Float64Array], call: FunctionCall) -> Value:
    vector = call.vector(0).floats()
    return vector.derived(operation(vector.values))


def _clamped(vector: StepVector, least: Float64Array, most: Float64Array) -> StepVector:
    empty = least > most
    values = np.maximum(least, np.minimum(most, vector.values))
    return vector.derived(values, vector.present & ~empty)


def _clamp(call: FunctionCall) -> Value:
    return _clamped(call.vector(0).floats(), call.scalar(1), call.scalar(2))


def _clamp_min(call: FunctionCall) -> Value:
    least = call.scalar(1)
    return _clamped(call.vector(0).floats(), least, np.full(len(least), np.inf))


def _clamp_max(call: FunctionCall) -> Value:
    most = call.scalar(1)
    return _clamped(call.vector(0).floats(), np.full(len(most), -np.inf), most)


def _round(call: FunctionCall) -> Value:
    vector = call.vector(0).floats()
    nearest = call.scalar(1) if len(call.arguments) > 1 else np.ones(len(call.times_ms))
    inverse = 1.0 / nearest
    return vector.derived(np.floor(vector.values * inverse + 0.5) / inverse)


def _scalar(call: FunctionCall) -> Value:
    vector = call.vector(0).floats()
    total = np.where(vector.present, vector.values, 0.0).sum(axis=0)
    return StepScalar(np.where(vector.present.sum(axis=0) == 1, total, np.nan))


def _vector(call: FunctionCall) -> Value:
    values = call.scalar(0)
    return single_series({}, values, np.ones(len(values), dtype=np.bool_))


def _pi(call: FunctionCall) -> Value:
    return StepScalar(np.full(len(call.times_ms), np.pi))


def _time(call: FunctionCall) -> Value:
    return StepScalar(call.times_ms / 1000.0)


def _extreme(
    choose: Callable[[Float64Array, Float64Array], Float64Array], call: FunctionCall
) -> Value:
    return StepScalar(choose(call.scalar(0), call.scalar(1)))


def _bound(name: str, call: FunctionCall) -> Value:
    bounds = call.bounds
    milliseconds = {
        "end": bounds.end_ms,
        "range": bounds.end_ms - bounds.start_ms,
        "start": bounds.start_ms,
        "step": bounds.step_ms,
    }
    return StepScalar(np.full(len(call.times_ms), milliseconds[name] / 1000.0))


def _timestamp(call: FunctionCall) -> Value:
    vector = call.vector(0)
    return vector.derived(np.broadcast_to(call.times_ms / 1000.0, vector.values.shape))


def _start_timestamp(call: FunctionCall) -> Value:
    """Give nothing: only samples that a selector finds tell since when they count."""
    return empty_vector(len(call.times_ms))


_ELEMENTWISE: dict[str, Callable[[Float64Array], Float64Array]] = {
    "abs": np.abs, "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin,
    "asinh": np.arcsinh, "atan": np.arctan, "atanh": np.arctanh, "ceil": np.ceil, "cos": np.cos,
    "cosh": np.cosh, "deg": np.degrees, "exp": np.exp, "floor": np.floor, "ln": np.log,
    "log10": np.log10, "log2": np.log2, "rad": np.radians, "sgn": np.sign, "sin": np.sin,
    "sinh": np.sinh, "sqrt": np.sqrt, "tan": np.tan, "tanh": np.tanh,
}  # fmt: skip

MATH_FUNCTIONS: dict[str, Implementation] = {
    name: partial(_elementwise, operation) for name, operation in _ELEMENTWISE.items()
} | {
    "clamp": _clamp,
    "clamp_max": _clamp_max,
    "clamp_min": _clamp_min,
    "end": partial(_bound, "end"),
    "max_of": partial(_extreme, np.maximum),
    "min_of": partial(_extreme, np.minimum),
    "pi": _pi,
    "range": partial(_bound, "range"),
    "round": _round,
    "scalar": _scalar,
    "start": partial(_bound, "start"),
    "start_timestamp": _start_timestamp,
    "step": partial(_bound, "step"),
    "time": _time,
    "timestamp": _timestamp,
    "vector": _vector,
}
