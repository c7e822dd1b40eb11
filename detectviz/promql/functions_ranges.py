"""Functions of range vectors: each applies one kernel to all windows."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.annotations import AnnotationCollector
from detectviz.promql.calls import FunctionCall, Implementation
from detectviz.promql.counters import COUNTER_KERNELS, count_events
from detectviz.promql.extended import anchored_events, extended_kernel, extension_of
from detectviz.promql.extended_histograms import extended_histograms
from detectviz.promql.histograms.weight import weights
from detectviz.promql.native_ranges import (
    NativeWindows,
    changed,
    extrapolated_histograms,
    fell,
    instant_differences,
    over_time,
)
from detectviz.promql.native_remarks import NativeRemarks
from detectviz.promql.numbers import format_general
from detectviz.promql.over_time import OVER_TIME_KERNELS, quantile_over_time
from detectviz.promql.positions import Span
from detectviz.promql.quoting import quote
from detectviz.promql.regression import deriv, predict_linear, smooth
from detectviz.promql.start_times import overlapping
from detectviz.promql.vectors import (
    BoolArray,
    RangeVector,
    StepVector,
    Value,
    empty_vector,
    single_series,
)
from detectviz.promql.windows import Computed, Kernel, RangeSamples, Windows
from detectviz.tsdb.interface import METRIC_NAME, Float64Array, HistogramArray, Matcher, MatchOp

_Native: TypeAlias = Callable[[NativeWindows], HistogramArray]
_COUNT = OVER_TIME_KERNELS["count_over_time"]

_KEEP_NAME = frozenset({"first_over_time", "last_over_time"})
_COUNTER_ENDINGS = ("_total", "_sum", "_count", "_bucket")
_NO_COUNTER = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
_BAD_QUANTILE = "quantile value should be between 0 and 1, got "


def _finished(call: FunctionCall, ranges: RangeVector, computed: Computed) -> StepVector:
    keeps_name = call.node.function in _KEEP_NAME
    dropped = ranges.drop_name if keeps_name else np.ones(len(ranges.labels), dtype=np.bool_)
    values, present = computed
    return StepVector(labels=ranges.labels, values=values, present=present, drop_name=dropped)


def _of_all(kernel: Kernel, call: FunctionCall) -> StepVector:
    """Apply a kernel that looks at times, or at histograms as well."""
    ranges = call.ranges(0)
    return _finished(call, ranges, ranges.samples.compute(kernel, call.check))


def _of_floats(kernel: Kernel, call: FunctionCall, index: int = 0) -> StepVector:
    """Apply a kernel of floats, with a note on ranges that hold histograms as well."""
    ranges = call.ranges(index)
    found = _finished(call, ranges, ranges.samples.floats().compute(kernel, call.check))
    if ranges.samples.histograms is None:
        return found
    for row in np.flatnonzero(_mixed(ranges.samples, call).any(axis=1)).tolist():
        _remarks(call).ignored_in_range(ranges.labels[row].get(METRIC_NAME, ""))
    return found


def _remarks(call: FunctionCall) -> NativeRemarks:
    return NativeRemarks(call.annotations, call.node.arguments[0].span)


def _mixed(samples: RangeSamples, call: FunctionCall) -> BoolArray:
    """Tell which windows hold floats and histograms."""
    natives = samples.natives()
    if natives is None:
        return np.zeros((len(samples), len(samples.ends_ms)), dtype=np.bool_)
    counted = [one.compute(_COUNT, call.check)[1] for one in (natives, samples.floats())]
    return counted[0] & counted[1]


def _of_either(kernel: Kernel, native: _Native, least: int, call: FunctionCall) -> StepVector:
    """Apply ``kernel`` to windows of floats, ``native`` to those of ``least`` histograms.

    Windows of both have no result, and a warning says so.
    """
    ranges = call.ranges(0)
    floats = _finished(call, ranges, ranges.samples.floats().compute(kernel, call.check))
    natives = ranges.samples.natives()
    if natives is None:
        return floats
    mixed = _mixed(ranges.samples, call)
    for row in np.flatnonzero(mixed.any(axis=1)).tolist():
        _remarks(call).mixed_range(ranges.labels[row].get(METRIC_NAME, ""))
    windows = natives.whole()
    wanted = (windows.counts >= least) & ~mixed
    found = native(_native_windows(call, ranges, windows, wanted))
    return _with_histograms(call, floats.filtered(~mixed), found)


def _native_windows(
    call: FunctionCall, ranges: RangeVector, windows: Windows, wanted: BoolArray
) -> NativeWindows:
    return NativeWindows(
        windows=windows,
        wanted=wanted,
        labels=ranges.labels,
        remarks=_remarks(call),
        check=call.check,
    )


def _with_histograms(
    call: FunctionCall, floats: StepVector, histograms: HistogramArray
) -> StepVector:
    held = histograms.astype(np.bool_)
    call.charge(int(weights(histograms[held]).sum()))
    return replace(
        floats,
        values=np.where(held, np.nan, floats.values),
        present=floats.present | held,
        histograms=histograms,
    )


def _of_last_two(kernel: Kernel, native: _Native, call: FunctionCall) -> StepVector:
    """Apply ``kernel`` where the last two samples are floats, ``native`` where one is not."""
    ranges = call.ranges(0)
    found = _of_all(kernel, call)
    if ranges.samples.histograms is None:
        return found
    windows = ranges.samples.whole()
    held = ranges.samples.histograms.astype(np.bool_)
    last = windows.last
    wanted = found.present & (held[last] | held[np.maximum(last - 1, 0)])
    natives = native(_native_windows(call, ranges, windows, wanted))
    return _with_histograms(call, found.filtered(~wanted), natives)


def _picked(kernel: Kernel, call: FunctionCall) -> StepVector:
    """Apply ``first_over_time`` or ``last_over_time``: histograms are picked as they are."""
    found = _of_all(kernel, call)
    samples = call.ranges(0).samples
    if samples.histograms is None:
        return found
    windows = samples.whole()
    places = windows.first if call.node.function == "first_over_time" else windows.last
    return replace(found, histograms=samples.histograms[places])


def _events(happened: Callable[[Windows], BoolArray], call: FunctionCall) -> Value:
    """Count changes or restarts, since its anchor if the window has one."""
    count = count_events if extension_of(call.node.arguments[0]) is None else anchored_events
    return _of_all(lambda windows: count(windows, happened(windows)), call)


def _difference(kernel: Kernel, native: _Native, call: FunctionCall) -> StepVector:
    """Compute ``rate``, ``increase`` or ``delta``, between the edges of extended windows."""
    extension, function = extension_of(call.node.arguments[0]), call.node.function
    if extension is None:
        return _of_either(kernel, native, 1, call)
    is_counter, is_rate = function != "delta", function == "rate"
    native = partial(
        extended_histograms, extension=extension, is_counter=is_counter, is_rate=is_rate
    )
    return _of_either(extended_kernel(function, extension), native, 1, call)


def _remark_on_overlaps(call: FunctionCall) -> None:
    """Warn where samples count from before those before them."""
    ranges = call.ranges(0)
    if ranges.samples.start_times_ms is None or not len(ranges.samples.values):
        return
    for samples in (ranges.samples.floats(), ranges.samples.natives()):
        if samples is not None and len(samples.values):
            for row in np.flatnonzero(overlapping(samples.whole())).tolist():
                _remarks(call).overlapping_starts(ranges.labels[row].get(METRIC_NAME, ""))


def _counted(kernel: Kernel, native: _Native, call: FunctionCall) -> Value:
    """Compute ``rate`` or ``increase``, with a note on names that do not end as counters' do."""
    found = _difference(kernel, native, call)
    if extension_of(call.node.arguments[0]) is None:
        _remark_on_overlaps(call)
    named = itertools.compress(found.labels, found.floats().used.tolist())
    for name in dict.fromkeys(labels.get(METRIC_NAME, "") for labels in named):
        if name and not name.endswith(_COUNTER_ENDINGS):
            call.annotations.inform(f"{_NO_COUNTER}{quote(name)}", call.node.arguments[0].span)
    return found


def _quantile(call: FunctionCall) -> Value:
    q = call.scalar(0)
    warn_bad_quantiles(call, q)
    return _of_floats(partial(quantile_over_time, q=q), call, 1)


def warn_bad_quantiles(call: FunctionCall, q: Float64Array) -> None:
    """Warn at the first argument when a quantile is outside 0 to 1."""
    warn_bad_quantile_values(call.annotations, q, call.node.arguments[0].span)


def warn_bad_quantile_values(annotations: AnnotationCollector, q: Float64Array, span: Span) -> None:
    """Warn at ``span`` for each value of ``q`` outside 0 to 1."""
    for value in np.unique(q[np.isnan(q) | (q < 0) | (q > 1)]).tolist():
        annotations.warn(f"{_BAD_QUANTILE}{format_general(value)}", span)


def _predict(call: FunctionCall) -> Value:
    return _of_floats(partial(predict_linear, ahead_s=call.scalar(1)), call)


def _smooth(call: FunctionCall) -> Value:
    kernel = partial(smooth, smoothing=call.scalar(1), trend=call.scalar(2))
    return _of_floats(kernel, call)


def _absent(call: FunctionCall) -> Value:
    return _missing(call, call.vector(0).present)


def _absent_over_time(call: FunctionCall) -> Value:
    return _missing(call, _of_all(OVER_TIME_KERNELS["present_over_time"], call).present)


def _missing(call: FunctionCall, present: BoolArray) -> Value:
    missing = np.asarray(~present.any(axis=0), dtype=np.bool_)
    if not missing.any():
        return empty_vector(len(missing))
    labels = asked_labels(nodes.unwrap(call.node.arguments[0]))
    return single_series(labels, np.ones(len(missing)), missing)


def asked_labels(node: nodes.Expression) -> dict[str, str]:
    """Return the labels a selector asks for by equality, none of them asked for again after."""
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
            seen.add(matcher.name)
        else:
            labels.pop(matcher.name, None)
    return {name: value for name, value in labels.items() if value}


_RATE = partial(extrapolated_histograms, is_counter=True, is_rate=True)
_INCREASE = partial(extrapolated_histograms, is_counter=True, is_rate=False)
_DELTA = partial(extrapolated_histograms, is_counter=False, is_rate=False)
_OF_ALL = """count_over_time present_over_time ts_of_first_over_time ts_of_last_over_time"""
_OF_FLOATS = """mad_over_time max_over_time min_over_time stddev_over_time stdvar_over_time
    ts_of_max_over_time ts_of_min_over_time"""


def _over_time(name: str) -> Implementation:
    operator = name.removesuffix("_over_time")
    return partial(_of_either, OVER_TIME_KERNELS[name], partial(over_time, operator), 1)


def _last_two(name: str) -> Implementation:
    native = partial(instant_differences, is_rate=name == "irate")
    return partial(_of_last_two, COUNTER_KERNELS[name], native)


RANGE_FUNCTIONS: dict[str, Implementation] = {
    **{name: partial(_of_all, OVER_TIME_KERNELS[name]) for name in _OF_ALL.split()},
    **{name: partial(_of_floats, OVER_TIME_KERNELS[name]) for name in _OF_FLOATS.split()},
    **{name: partial(_picked, OVER_TIME_KERNELS[name]) for name in _KEEP_NAME},
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "avg_over_time": _over_time("avg_over_time"),
    "changes": partial(_events, changed),
    "delta": partial(_difference, COUNTER_KERNELS["delta"], _DELTA),
    "deriv": partial(_of_floats, deriv),
    "double_exponential_smoothing": _smooth,
    "holt_winters": _smooth,
    "idelta": _last_two("idelta"),
    "increase": partial(_counted, COUNTER_KERNELS["increase"], _INCREASE),
    "irate": _last_two("irate"),
    "predict_linear": _predict,
    "quantile_over_time": _quantile,
    "rate": partial(_counted, COUNTER_KERNELS["rate"], _RATE),
    "resets": partial(_events, fell),
    "sum_over_time": _over_time("sum_over_time"),
}
