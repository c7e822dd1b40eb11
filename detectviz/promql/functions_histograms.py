"""Functions of histograms, native ones and classic ones alike."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np

from detectviz.promql.calls import FunctionCall, Implementation
from detectviz.promql.classic_histograms import (
    Cells,
    Estimates,
    Estimator,
    bucket_fractions,
    bucket_quantiles,
    classic_histograms,
    estimate,
)
from detectviz.promql.functions_ranges import warn_bad_quantile_values
from detectviz.promql.histograms.estimates import Estimate, fraction, quantile, variance
from detectviz.promql.labels import label_key
from detectviz.promql.native_remarks import NativeRemarks
from detectviz.promql.numbers import format_general, quotient
from detectviz.promql.quoting import quote
from detectviz.promql.vectors import (
    BoolArray,
    StepVector,
    Value,
    concatenated,
    empty_vector,
)
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import METRIC_NAME, Float64Array

_NOT_MONOTONIC = (
    "input to histogram_quantile needed to be fixed for monotonicity (see "
    "https://prometheus.io/docs/practices/histograms/#errors-of-quantile-calculation)"
)
_Native: TypeAlias = Callable[[Histogram, int], Estimate]


class _Histograms:
    """The histograms of an argument, by kind.

    Where a classic and a native histogram of the same labels meet, neither is looked at.
    """

    def __init__(self, call: FunctionCall, index: int) -> None:
        vector = call.vector(index)
        self.call = call
        self.span = call.node.arguments[index].span
        self.remarks = NativeRemarks(call.annotations, self.span)
        self.native_present = vector.is_histogram
        self.vector = vector
        self.floats = vector.floats()
        self.classic = classic_histograms(call, index, self.floats)
        self.mixed = self._mixed()

    def _mixed(self) -> BoolArray:
        """Return bool[classic histograms, steps]; take native ones met out of what is present."""
        mixed = np.zeros((len(self.classic), self.vector.steps), dtype=np.bool_)
        rows = np.flatnonzero(self.native_present.any(axis=1)).tolist()
        natives = {label_key(self.vector.labels[row]): row for row in rows}
        for place, histogram in enumerate(self.classic):
            row = natives.get(label_key(histogram.labels))
            if row is None:
                continue
            buckets = [bucket for _, bucket in histogram.buckets]
            mixed[place] = self.floats.present[buckets].any(axis=0) & self.native_present[row]
            if mixed[place].any():
                self.remarks.mixed_kinds(histogram.labels.get(METRIC_NAME, ""))
                self.native_present[row] &= ~mixed[place]
        return mixed

    def estimates(self, native: _Native, classic: Estimator) -> StepVector:
        """Estimate one number per histogram and step."""
        found = empty_vector(self.vector.steps)
        if self.native_present.any():
            found = self._of_native(native)
        if self.classic:
            found = concatenated(found, self._of_classic(classic))
        return found.merged()

    def _of_native(self, native: _Native) -> StepVector:
        histograms = self.vector.histograms
        assert histograms is not None
        values = np.full(self.native_present.shape, np.nan)
        for row in np.flatnonzero(self.native_present.any(axis=1)).tolist():
            self.call.check()
            name = self.vector.labels[row].get(METRIC_NAME, "")
            for step in np.flatnonzero(self.native_present[row]).tolist():
                found = native(histograms[row, step], step)
                values[row, step] = found.value
                if found.note:
                    self.remarks.estimated(found.note, name)
        return self.vector.derived(values, self.native_present).trimmed()

    def _of_classic(self, classic: Estimator) -> StepVector:
        found: Estimates = estimate(self.call, self.floats, self.classic, classic)
        for place in np.flatnonzero(found.is_forced).tolist():
            self._remark_on_forced(self.classic[place].labels.get(METRIC_NAME, ""))
        return StepVector(
            labels=tuple(histogram.labels for histogram in self.classic),
            values=found.values,
            present=found.present & ~self.mixed,
            drop_name=np.ones(len(self.classic), dtype=np.bool_),
        )

    def _remark_on_forced(self, name: str) -> None:
        message = f"{_NOT_MONOTONIC} for metric name {quote(name)}" if name else _NOT_MONOTONIC
        self.call.annotations.inform(message, self.span)

    def quantiles(self, q: Float64Array) -> StepVector:
        """Estimate the ``q`` (float64[steps]) quantiles."""
        wanted = q.tolist()

        def native(histogram: Histogram, step: int) -> Estimate:
            return quantile(wanted[step], histogram)

        def classic(cells: Cells) -> tuple[Float64Array, BoolArray]:
            return bucket_quantiles(q[cells.steps], cells.bounds, cells.counts)

        return self.estimates(native, classic)


def _quantile(call: FunctionCall) -> Value:
    q = call.scalar(0)
    _warn_bad(call, 0, q)
    return _Histograms(call, 1).quantiles(q)


def _warn_bad(call: FunctionCall, index: int, q: Float64Array) -> None:
    warn_bad_quantile_values(call.annotations, q, call.node.arguments[index].span)


def _quantiles(call: FunctionCall) -> Value:
    """Compute several quantiles, each with its number in a label."""
    histograms = _Histograms(call, 0)
    name = call.string(1)
    found = empty_vector(len(call.times_ms))
    for index in range(2, len(call.arguments)):
        q = call.scalar(index)
        _warn_bad(call, index, q)
        values = histograms.quantiles(q)
        for one in np.unique(q).tolist():
            at = np.isnan(q) if math.isnan(one) else q == one
            found = concatenated(found, _labelled(values.filtered(at), name, one))
    return found.trimmed().merged()


def _labelled(vector: StepVector, name: str, q: float) -> StepVector:
    text = format_general(q)
    if math.isfinite(q) and not set(text) & {".", "e"}:
        text += ".0"
    return replace(vector, labels=tuple({**labels, name: text} for labels in vector.labels))


def _fraction(call: FunctionCall) -> Value:
    lower, upper = call.scalar(0), call.scalar(1)

    def native(histogram: Histogram, step: int) -> Estimate:
        return fraction(float(lower[step]), float(upper[step]), histogram)

    def classic(cells: Cells) -> tuple[Float64Array, BoolArray]:
        steps = cells.steps
        shares = bucket_fractions(lower[steps], upper[steps], cells.bounds, cells.counts)
        return shares, np.zeros(len(shares), dtype=np.bool_)

    return _Histograms(call, 2).estimates(native, classic)


def _of_each(number: Callable[[Histogram], float], call: FunctionCall) -> Value:
    vector = call.vector(0)
    if vector.histograms is None:
        return empty_vector(vector.steps)
    held = vector.is_histogram
    values = np.full(held.shape, np.nan)
    values[held] = [number(one) for one in vector.histograms[held].tolist()]
    return vector.derived(values, held)


def _count(histogram: Histogram) -> float:
    return histogram.count


def _sum(histogram: Histogram) -> float:
    return histogram.sum


def _average(histogram: Histogram) -> float:
    return quotient(histogram.sum, histogram.count)


def _deviation(histogram: Histogram) -> float:
    found = variance(histogram)
    return math.sqrt(found) if found >= 0 else math.nan


HISTOGRAM_FUNCTIONS: dict[str, Implementation] = {
    "histogram_avg": partial(_of_each, _average),
    "histogram_count": partial(_of_each, _count),
    "histogram_fraction": _fraction,
    "histogram_quantile": _quantile,
    "histogram_quantiles": _quantiles,
    "histogram_stddev": partial(_of_each, _deviation),
    "histogram_stdvar": partial(_of_each, variance),
    "histogram_sum": partial(_of_each, _sum),
}
