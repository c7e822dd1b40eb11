"""Walks a syntax tree once, for all steps at the same time."""

from dataclasses import dataclass, replace

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.aggregations import group_quantiles, reduce_groups
from detectviz.promql.annotations import AnnotationCollector
from detectviz.promql.calls import FunctionCall, QueryBounds
from detectviz.promql.extended import bounded
from detectviz.promql.functions import IMPLEMENTATIONS
from detectviz.promql.functions_ranges import warn_bad_quantile_values
from detectviz.promql.grouping import Groups, group_series
from detectviz.promql.histograms.arithmetic import scaled
from detectviz.promql.histograms.resets import without_hints
from detectviz.promql.info import enrich
from detectviz.promql.matching import combine_sets, join_vectors
from detectviz.promql.native_remarks import NativeRemarks
from detectviz.promql.operators import between_scalars, with_scalar
from detectviz.promql.positions import Span
from detectviz.promql.ranking import (
    check_parameter,
    choose_extreme,
    choose_share,
    choose_some,
    count_values,
)
from detectviz.promql.selectors import Reader, Wanted
from detectviz.promql.signatures import SET_OPERATORS
from detectviz.promql.smoothing import smoothed_vector
from detectviz.promql.vectors import (
    RangeVector,
    StepScalar,
    StepString,
    StepVector,
    Value,
    empty_vector,
    object_array,
)
from detectviz.promql.windows import RangeSamples
from detectviz.tsdb.interface import HistogramArray, Int64Array

_OF_SAMPLES = {"start_timestamp": Wanted.START_TIMES, "timestamp": Wanted.TIMESTAMPS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """Evaluates nodes for one query; ``times_ms`` arguments are int64[steps]."""

    reader: Reader
    annotations: AnnotationCollector
    subquery_step_ms: int
    bounds: QueryBounds

    def evaluate(self, node: nodes.Expression, times_ms: Int64Array) -> Value:
        """Return the value of ``node`` at every time; EvaluationError if it has none."""
        self.reader.budget.check()
        match node:
            case nodes.NumberLiteral():
                return StepScalar(np.full(len(times_ms), node.value))
            case nodes.StringLiteral():
                return StepString(node.value)
            case nodes.Parenthesis():
                return self.evaluate(node.expression, times_ms)
            case nodes.VectorSelector():
                return self._instant(node, times_ms)
            case nodes.MatrixSelector():
                return self._shown(node, times_ms)
            case _:
                return self._composed(node, times_ms)

    def _instant(self, node: nodes.VectorSelector, times_ms: Int64Array) -> StepVector:
        if node.extension is not nodes.Extension.SMOOTHED:
            return self.reader.instant(node, times_ms)
        remarks = NativeRemarks(self.annotations, node.span)
        surroundings = self.reader.surroundings(node, times_ms)
        return smoothed_vector(surroundings, remarks, self.reader.budget.check)

    def _shown(self, node: nodes.MatrixSelector, times_ms: Int64Array) -> RangeVector:
        ranges = self.reader.ranges(node, times_ms)
        extension = node.selector.extension
        if extension is None:
            return ranges
        return replace(ranges, samples=bounded(ranges.samples, extension))

    def argument(self, function: str, argument: nodes.Expression, times_ms: Int64Array) -> Value:
        """Return an argument's value; a range of samples is read for the function it goes into."""
        inner = nodes.unwrap(argument)
        if isinstance(inner, nodes.MatrixSelector):
            return self.reader.ranges(inner, times_ms, function=function)
        return self.evaluate(argument, times_ms)

    def _composed(self, node: nodes.Expression, times_ms: Int64Array) -> Value:
        match node:
            case nodes.Subquery():
                return self._subquery(node, times_ms)
            case nodes.Unary():
                return self._unary(node, times_ms)
            case nodes.Binary():
                return self._binary(node, times_ms)
            case nodes.Aggregation():
                return self._aggregation(node, times_ms)
            case nodes.Call():
                return self._call(node, times_ms)
        raise TypeError(f"unknown node {node!r}")

    def _subquery(self, node: nodes.Subquery, times_ms: Int64Array) -> RangeVector:
        """Evaluate the inner expression on its own grid, aligned to multiples of its step."""
        ends = self.reader.references(times_ms, node.at, node.offset_ms)
        step = node.step_ms or self.subquery_step_ms
        first = (int(ends.min()) - node.range_ms) // step * step + step
        self.reader.budget.charge(max(0, (int(ends.max()) - first) // step + 1))
        inner_times = np.arange(first, int(ends.max()) + 1, step, dtype=np.int64)
        if len(inner_times):
            inner = self.evaluate(node.expression, inner_times)
            assert isinstance(inner, StepVector)
        else:
            inner = empty_vector(0)
        offsets = np.zeros(len(inner) + 1, dtype=np.int64)
        np.cumsum(inner.present.sum(axis=1), out=offsets[1:])
        samples = RangeSamples(
            offsets=offsets,
            timestamps_ms=np.broadcast_to(inner_times, inner.present.shape)[inner.present],
            values=inner.values[inner.present],
            histograms=_undecided(inner),
            ends_ms=ends,
            times_ms=times_ms,
            range_ms=node.range_ms,
        )
        self.reader.budget.charge(len(samples.values))
        return RangeVector(labels=inner.labels, drop_name=inner.drop_name, samples=samples)

    def _unary(self, node: nodes.Unary, times_ms: Int64Array) -> Value:
        value = self.evaluate(node.operand, times_ms)
        if node.operator == "+":
            return value
        if isinstance(value, StepScalar):
            return StepScalar(-value.values)
        assert isinstance(value, StepVector)
        return value.derived(-value.values, histograms=_negated(value.histograms)).merged()

    def _binary(self, node: nodes.Binary, times_ms: Int64Array) -> Value:
        left = self.evaluate(node.left, times_ms)
        right = self.evaluate(node.right, times_ms)
        return self.combined(node, left, right)

    def combined(self, node: nodes.Binary, left: Value, right: Value) -> Value:
        """Apply an operator to two values."""
        if isinstance(left, StepScalar) and isinstance(right, StepScalar):
            return between_scalars(node.operator, left, right)
        if isinstance(left, StepVector) and isinstance(right, StepScalar):
            return with_scalar(node, left, right, self.annotations, is_scalar_left=False)
        if isinstance(left, StepScalar) and isinstance(right, StepVector):
            return with_scalar(node, right, left, self.annotations, is_scalar_left=True)
        assert isinstance(left, StepVector)
        assert isinstance(right, StepVector)
        if node.operator in SET_OPERATORS:
            return combine_sets(node, left, right)
        return join_vectors(node, left, right, self.annotations)

    def groups(self, vector: StepVector, node: nodes.Aggregation) -> Groups:
        """Group a vector (of at least one series) as an aggregation asks."""
        return group_series(vector, node)

    def _aggregation(self, node: nodes.Aggregation, times_ms: Int64Array) -> Value:
        parameter = None
        if node.parameter is not None:
            parameter = self.evaluate(node.parameter, times_ms)
            if isinstance(parameter, StepScalar):
                check_parameter(node.operator, parameter.values)
        vector = self.evaluate(node.expression, times_ms)
        assert isinstance(vector, StepVector)
        if not len(vector):
            return empty_vector(len(times_ms))
        if isinstance(parameter, StepString):
            groups = group_series(vector, _without_counted_label(node, parameter.value))
            return count_values(vector, groups, parameter.value, self.reader.budget)
        groups = self.groups(vector, node)
        if isinstance(parameter, StepScalar):
            return self._with_parameter(node, vector, groups, parameter)
        remarks = NativeRemarks(self.annotations, node.expression.span)
        return reduce_groups(node.operator, vector, groups, remarks)

    def _with_parameter(
        self, node: nodes.Aggregation, vector: StepVector, groups: Groups, parameter: StepScalar
    ) -> StepVector:
        match node.operator:
            case "quantile":
                span = (node.parameter or node).span
                warn_bad_quantile_values(self.annotations, parameter.values, span)
                floats = self._floats(vector, "quantile", node.expression.span)
                return group_quantiles(parameter.values, floats, groups)
            case "limitk":
                return choose_some(vector, groups, parameter.values)
            case "limit_ratio":
                return choose_share(vector, parameter.values, node, self.annotations)
            case _:
                floats = self._floats(vector, node.operator, node.span)
                is_top = node.operator == "topk"
                return choose_extreme(floats, groups, parameter.values, is_top=is_top)

    def _floats(self, vector: StepVector, operator: str, span: Span) -> StepVector:
        """Return the float samples, remarking on histograms that ``operator`` can't look at."""
        if vector.has_histograms:
            NativeRemarks(self.annotations, span).ignored_in_group(operator)
        return vector.floats()

    def _call(self, node: nodes.Call, times_ms: Int64Array) -> Value:
        first = nodes.unwrap(node.arguments[0]) if node.arguments else None
        if node.function in _OF_SAMPLES and isinstance(first, nodes.VectorSelector):
            vector = self.reader.instant(first, times_ms, want=_OF_SAMPLES[node.function])
            if node.function == "start_timestamp" and not self.reader.uses_start_times:
                return empty_vector(len(times_ms))
            return vector.derived(vector.values)
        if node.function == "info":
            base = self.evaluate(node.arguments[0], times_ms)
            assert isinstance(base, StepVector)
            return enrich(self.reader, node, base, times_ms)
        call = FunctionCall(
            node=node,
            arguments=tuple(
                self.argument(node.function, argument, times_ms) for argument in node.arguments
            ),
            times_ms=times_ms,
            annotations=self.annotations,
            check=self.reader.budget.check,
            charge=self.reader.budget.charge,
            bounds=self.bounds,
        )
        return IMPLEMENTATIONS[node.function](call)


def _undecided(vector: StepVector) -> HistogramArray | None:
    """Return the present histograms, hints removed: steps may skip or repeat their samples."""
    if vector.histograms is None:
        return None
    return object_array(without_hints(vector.histograms[vector.present].tolist()))


def _negated(histograms: HistogramArray | None) -> HistogramArray | None:
    if histograms is None:
        return None
    negated = [None if one is None else scaled(one, -1.0) for one in histograms.ravel().tolist()]
    return object_array(negated).reshape(histograms.shape)


def _without_counted_label(node: nodes.Aggregation, name: str) -> nodes.Aggregation:
    """Group for ``count_values`` regardless of the label it is about to set."""
    if node.is_without:
        return replace(node, grouping=(*node.grouping, name))
    return replace(node, grouping=tuple(one for one in node.grouping if one != name))
