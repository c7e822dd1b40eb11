"""Functions of range vectors: each applies one kernel to all windows."""

import itertools
from collections.abc import Iterable
from functools import partial

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.annotations import AnnotationCollector
from detectviz.promql.calls import FunctionCall, Implementation
from detectviz.promql.counters import COUNTER_KERNELS
from detectviz.promql.numbers import format_number
from detectviz.promql.over_time import OVER_TIME_KERNELS, quantile_over_time
from detectviz.promql.positions import Span
from detectviz.promql.quoting import quote
from detectviz.promql.regression import deriv, predict_linear, smooth
from detectviz.promql.vectors import BoolArray, StepVector, Value, empty_vector, single_series
from detectviz.promql.windows import Kernel
from detectviz.tsdb.interface import METRIC_NAME, Float64Array, Matcher, MatchOp

_KEEP_NAME = frozenset({"first_over_time", "last_over_time"})
_COUNTER_ENDINGS = ("_total", "_sum", "_count", "_bucket")
_NO_COUNTER = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
_BAD_QUANTILE = "quantile value should be between 0 and 1, got "


def _computed(call: FunctionCall, index: int, kernel: Kernel) -> StepVector:
    ranges = call.ranges(index)
    values, present = ranges.samples.compute(kernel, call.check)
    keeps_name = call.node.function in _KEEP_NAME
    dropped = ranges.drop_name if keeps_name else np.ones(len(ranges.labels), dtype=np.bool_)
    return StepVector(labels=ranges.labels, values=values, present=present, drop_name=dropped)


def _counted(kernel: Kernel, call: FunctionCall) -> Value:
    """Compute ``rate`` or ``increase``, with a note on names that do not end as counters' do."""
    ranges = call.ranges(0)
    held = np.diff(ranges.samples.offsets) > 0
    named = itertools.compress(ranges.labels, held.tolist())
    for name in dict.fromkeys(labels.get(METRIC_NAME, "") for labels in named):
        if name and not name.endswith(_COUNTER_ENDINGS):
            call.annotations.inform(f"{_NO_COUNTER}{quote(name)}", call.node.arguments[0].span)
    return _computed(call, 0, kernel)


def _apply(kernel: Kernel, call: FunctionCall) -> Value:
    return _computed(call, 0, kernel)


def _quantile(call: FunctionCall) -> Value:
    q = call.scalar(0)
    warn_bad_quantiles(call, q)
    return _computed(call, 1, partial(quantile_over_time, q=q))


def warn_bad_quantiles(call: FunctionCall, q: Float64Array) -> None:
    """Warn at the first argument when a quantile is outside 0 to 1."""
    warn_bad_quantile_values(call.annotations, q, call.node.arguments[0].span)


def warn_bad_quantile_values(annotations: AnnotationCollector, q: Float64Array, span: Span) -> None:
    """Warn at ``span`` for each value of ``q`` outside 0 to 1."""
    for value in np.unique(q[np.isnan(q) | (q < 0) | (q > 1)]).tolist():
        annotations.warn(f"{_BAD_QUANTILE}{format_number(value)}", span)


def _predict(call: FunctionCall) -> Value:
    return _computed(call, 0, partial(predict_linear, ahead_s=call.scalar(1)))


def _smooth(call: FunctionCall) -> Value:
    kernel = partial(smooth, smoothing=call.scalar(1), trend=call.scalar(2))
    return _computed(call, 0, kernel)


def _absent(call: FunctionCall) -> Value:
    return _missing(call, call.vector(0).present)


def _absent_over_time(call: FunctionCall) -> Value:
    return _missing(call, _computed(call, 0, OVER_TIME_KERNELS["present_over_time"]).present)


def _missing(call: FunctionCall, present: BoolArray) -> Value:
    missing = np.asarray(~present.any(axis=0), dtype=np.bool_)
    if not missing.any():
        return empty_vector(len(missing))
    labels = asked_labels(nodes.unwrap(call.node.arguments[0]))
    return single_series(labels, np.ones(len(missing)), missing)


def asked_labels(node: nodes.Expression) -> dict[str, str]:
    """Return the labels a selector asks for by equality, each asked for once."""
    if isinstance(node, nodes.MatrixSelector):
        node = node.selector
    return _once(node.matchers) if isinstance(node, nodes.VectorSelector) else {}


def _once(matchers: Iterable[Matcher]) -> dict[str, str]:
    labels: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in matchers:
        if matcher.name == METRIC_NAME:
            continue
        if matcher.op is MatchOp.EQUAL and matcher.name not in seen:
            labels[matcher.name] = matcher.value
        else:
            labels.pop(matcher.name, None)
        seen.add(matcher.name)
    return {name: value for name, value in labels.items() if value}


RANGE_FUNCTIONS: dict[str, Implementation] = {
    name: partial(_apply, kernel)
    for name, kernel in (COUNTER_KERNELS | OVER_TIME_KERNELS | {"deriv": deriv}).items()
} | {
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "increase": partial(_counted, COUNTER_KERNELS["increase"]),
    "double_exponential_smoothing": _smooth,
    "holt_winters": _smooth,
    "predict_linear": _predict,
    "quantile_over_time": _quantile,
    "rate": partial(_counted, COUNTER_KERNELS["rate"]),
}
