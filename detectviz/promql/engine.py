"""The engine: text in, answer out."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.annotations import AnnotationCollector
from detectviz.promql.batches import Outcome, batch_plan, run_batch
from detectviz.promql.calls import QueryBounds
from detectviz.promql.durations import resolve_durations
from detectviz.promql.errors import EvaluationError, ParseError
from detectviz.promql.evaluator import Evaluator
from detectviz.promql.extended import check_extensions
from detectviz.promql.fused_evaluator import FusedAnnotations, FusedEvaluator
from detectviz.promql.fusing import BatchPlan, FusedShape
from detectviz.promql.labels import label_key
from detectviz.promql.limits import Budget, CancellationToken
from detectviz.promql.nodes import ValueType
from detectviz.promql.parser import parse
from detectviz.promql.results import Answer, Matrix, Result, Scalar, String, Vector
from detectviz.promql.selectors import Reader, Reads
from detectviz.promql.shared_reads import SharedReads
from detectviz.promql.statistics_only import statistics_selectors
from detectviz.promql.type_check import result_type
from detectviz.promql.vectors import (
    RangeVector,
    StepScalar,
    StepString,
    StepVector,
    Value,
    empty_vector,
    no_histograms,
    single_series,
)
from detectviz.tsdb.interface import Int64Array, SeriesStore

_MOST_STEPS = 11_000


@dataclass(frozen=True, slots=True)
class Engine:
    """Evaluates PromQL over a store, with the semantics of Prometheus 3.x.

    Stateless between queries and safe to share between threads if the store is. Every query
    names its tenant, which reaches the store with each selector. With ``uses_start_times``
    counters restart where their samples say so, and rise from zero where they began
    (Prometheus' feature ``use-start-timestamps``).
    """

    store: SeriesStore
    _: KW_ONLY
    lookback_ms: int = 300_000
    max_samples: int = 50_000_000
    timeout_s: float = 120.0
    max_series: int | None = None  # selected by one query
    max_bytes: int | None = None  # of the samples it selects
    subquery_step_ms: int = 60_000
    uses_start_times: bool = True

    def instant(
        self,
        tenant: str,
        query: str | nodes.Expression,
        at_ms: int,
        *,
        token: CancellationToken | None = None,
    ) -> Result:
        """Evaluate ``query`` at one time (Unix milliseconds).

        Give Scalar, String, Vector, or Matrix for a bare range selector. Raise ParseError (with
        position), or EvaluationError and its kinds for limits.
        """
        return self._run(tenant, query, QueryBounds(start_ms=at_ms, end_ms=at_ms, step_ms=0), token)

    def range(
        self,
        tenant: str,
        query: str | nodes.Expression,
        start_ms: int,
        end_ms: int,
        step_ms: int,
        *,
        token: CancellationToken | None = None,
    ) -> Result:
        """Evaluate ``query`` at every step from start to end (inclusive); give a Matrix.

        Raise EvaluationError for a step or end that makes no sense or more than 11,000 steps,
        and what ``instant`` raises.
        """
        if step_ms <= 0:
            raise EvaluationError("step must be greater than 0")
        if end_ms < start_ms:
            raise EvaluationError("end timestamp must not be before start time")
        if (end_ms - start_ms) // step_ms > _MOST_STEPS:
            raise EvaluationError(
                f"exceeded maximum resolution of {_MOST_STEPS:,} points per timeseries; "
                "try a larger step"
            )
        bounds = QueryBounds(start_ms=start_ms, end_ms=end_ms, step_ms=step_ms)
        return self._run(tenant, query, bounds, token)

    def batch(
        self,
        tenant: str,
        queries: BatchPlan | Sequence[str],
        at_ms: int,
        *,
        token: CancellationToken | None = None,
    ) -> list[Outcome]:
        """Answer many queries at one time: what ``instant`` returns or raises, for each.

        Queries of one shape are evaluated as one; all share what they read. The limits hold for
        each query, and one that fails has no effect on the others. Give a ``batch_plan`` when
        the same queries are asked again and again.
        """
        plan = queries if isinstance(queries, BatchPlan) else batch_plan(queries)
        reads = SharedReads(self.store, tenant, at_ms)
        runner = _BatchRunner(engine=self, tenant=tenant, at_ms=at_ms, token=token)
        return run_batch(plan, runner, reads, at_ms=at_ms, lookback_ms=self.lookback_ms)

    def _run(
        self,
        tenant: str,
        query: str | nodes.Expression,
        bounds: QueryBounds,
        token: CancellationToken | None,
    ) -> Result:
        is_range = bounds.step_ms > 0
        text = query if isinstance(query, str) else ""
        expression = parse(query) if isinstance(query, str) else query
        if is_range:
            _check_range_type(expression, text)
        asked = _Asked(tenant=tenant, text=text, bounds=bounds, token=token)
        return self.answer(asked, expression)

    def answer(self, asked: "_Asked", expression: nodes.Expression) -> Result:
        """Evaluate a parsed and checked expression."""
        annotations = AnnotationCollector(asked.text)
        evaluator = Evaluator(
            reader=self.reader(asked),
            annotations=annotations,
            subquery_step_ms=self.subquery_step_ms,
            bounds=asked.bounds,
        )
        times = asked.times_ms
        with np.errstate(all="ignore"):
            value = _evaluated(evaluator, expression, asked)
            is_range = asked.bounds.step_ms > 0
            answer = _matrix(value, times) if is_range else _instant(value, times)
        budget = evaluator.reader.budget
        budget.check()
        return Result(value=answer, annotations=annotations.collected(), samples=budget.charged)

    def answers(self, asked: "_Asked", shape: FusedShape, texts: Sequence[str]) -> list[Result]:
        """Evaluate expressions of one shape at one time; what is raised may be any member's."""
        remarks = FusedAnnotations()
        evaluator = FusedEvaluator(
            reader=self.reader(asked),
            annotations=remarks,
            subquery_step_ms=self.subquery_step_ms,
            bounds=asked.bounds,
            shape=shape,
            remarks=remarks,
        )
        with np.errstate(all="ignore"):
            values = evaluator.by_member(_evaluated(evaluator, shape.expression, asked))
            nothing = _instant(empty_vector(1), asked.times_ms)
            found = {member: _instant(value, asked.times_ms) for member, value in values.items()}
        evaluator.reader.budget.check()
        if remarks.is_silent:
            silent = Result(value=nothing)
            return [
                Result(value=found[member]) if member in found else silent
                for member in range(len(shape))
            ]
        return [
            Result(
                value=found.get(member, nothing),
                annotations=remarks.of_member(member, shape, texts[member]),
            )
            for member in range(len(shape))
        ]

    def reader(self, asked: "_Asked") -> Reader:
        """Return what one query reads with, within its limits."""
        budget = Budget(
            max_samples=self.max_samples,
            timeout_s=self.timeout_s,
            max_series=self.max_series,
            max_bytes=self.max_bytes,
            token=asked.token,
        )
        return Reader(
            store=self.store,
            tenant=asked.tenant,
            start_ms=asked.bounds.start_ms,
            end_ms=asked.bounds.end_ms,
            lookback_ms=self.lookback_ms,
            budget=budget,
            reads=asked.reads,
            uses_start_times=self.uses_start_times,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Who asks for what times; ``reads`` stands in for the store."""

    tenant: str
    text: str
    bounds: QueryBounds
    token: CancellationToken | None
    reads: Reads | None = None

    @property
    def times_ms(self) -> Int64Array:
        """The times of evaluation."""
        bounds = self.bounds
        return np.arange(bounds.start_ms, bounds.end_ms + 1, bounds.step_ms or 1, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _BatchRunner:
    """Evaluates parts of a batch."""

    engine: Engine
    tenant: str
    at_ms: int
    token: CancellationToken | None

    def alone(self, text: str, expression: nodes.Expression, reads: Reads) -> Result:
        """Return what ``Engine.instant`` would."""
        return self.engine.answer(self._asked(text, reads), expression)

    def together(self, shape: FusedShape, texts: Sequence[str], reads: Reads) -> list[Result]:
        """Return a result per member."""
        return self.engine.answers(self._asked(texts[0], reads), shape, texts)

    def _asked(self, text: str, reads: Reads) -> _Asked:
        bounds = QueryBounds(start_ms=self.at_ms, end_ms=self.at_ms, step_ms=0)
        return _Asked(tenant=self.tenant, text=text, bounds=bounds, token=self.token, reads=reads)


def _evaluated(evaluator: Evaluator, expression: nodes.Expression, asked: _Asked) -> Value:
    check_extensions(expression)
    resolved = resolve_durations(expression, asked.bounds, asked.text)
    reader = replace(evaluator.reader, statistics_only=statistics_selectors(resolved))
    try:
        return replace(evaluator, reader=reader).evaluate(resolved, asked.times_ms)
    except RecursionError:
        raise EvaluationError("expression is nested too deeply") from None


def _check_range_type(expression: nodes.Expression, text: str) -> None:
    found = result_type(expression)
    if found not in {ValueType.SCALAR, ValueType.VECTOR}:
        message = (
            f'invalid expression type "{found.value}" for range query, '
            "must be Scalar or instant Vector"
        )
        raise ParseError(message, expression.span.start, expression.span.end, text)


def _instant(value: Value, times: Int64Array) -> Answer:
    at_ms = int(times[0])
    match value:
        case StepScalar():
            return Scalar(timestamp_ms=at_ms, value=float(value.values[0]))
        case StepString():
            return String(timestamp_ms=at_ms, value=value.value)
        case RangeVector():
            return _raw(value)
        case StepVector():
            final = value.trimmed().with_final_labels()
            return Vector(
                timestamp_ms=at_ms,
                labels=final.labels,
                values=final.values[:, 0],
                histograms=None if final.histograms is None else final.histograms[:, 0],
            )


def _matrix(value: Value, times: Int64Array) -> Matrix:
    if isinstance(value, StepScalar):
        value = single_series({}, value.values, np.ones(len(times), dtype=np.bool_))
    assert isinstance(value, StepVector)
    final = value.trimmed().with_final_labels()
    return _ordered(final, times)


def _ordered(vector: StepVector, times: Int64Array) -> Matrix:
    keys = [label_key(labels) for labels in vector.labels]
    rows = sorted(range(len(keys)), key=keys.__getitem__)
    ordered = vector if rows == list(range(len(rows))) else vector.take(rows)
    return Matrix(
        timestamps_ms=times,
        labels=ordered.labels,
        values=ordered.values,
        present=ordered.present,
        histograms=ordered.histograms,
    )


def _raw(ranges: RangeVector) -> Matrix:
    """Return raw samples on the union of their times."""
    samples = ranges.samples
    end = int(samples.ends_ms[0])
    inside = (samples.timestamps_ms > end - samples.range_ms) & (samples.timestamps_ms <= end)
    rows = np.repeat(np.arange(len(samples)), np.diff(samples.offsets))[inside]
    times, columns = np.unique(samples.timestamps_ms[inside], return_inverse=True)
    values = np.full((len(samples), len(times)), np.nan)
    present = np.zeros(values.shape, dtype=np.bool_)
    values[rows, columns] = samples.values[inside]
    present[rows, columns] = True
    histograms = None
    if samples.histograms is not None:
        histograms = no_histograms(values.shape)
        histograms[rows, columns] = samples.histograms[inside]
    vector = StepVector(
        labels=ranges.labels,
        values=values,
        present=present,
        drop_name=ranges.drop_name,
        histograms=histograms,
    )
    return _ordered(vector.trimmed().with_final_labels(), times)
