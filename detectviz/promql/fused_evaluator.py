"""Walks a fused tree: what is the same for all members once, the rest a row per member."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from operator import itemgetter

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.annotations import Annotation, AnnotationCollector, Severity
from detectviz.promql.evaluator import Evaluator
from detectviz.promql.functions_ranges import asked_labels
from detectviz.promql.fusing import MEMBER, FusedShape, UnfusableError
from detectviz.promql.grouping import Groups, grouped_labels, regrouped
from detectviz.promql.labels import Labels, without
from detectviz.promql.operators import operate
from detectviz.promql.over_time import OVER_TIME_KERNELS
from detectviz.promql.positions import Span, line_column
from detectviz.promql.signatures import COMPARISONS
from detectviz.promql.vectors import BoolArray, RangeVector, StepScalar, StepVector, Value
from detectviz.tsdb.interface import METRIC_NAME, Int64Array, MatchOp

_ABSENCE = frozenset({"absent", "absent_over_time"})
_REMARK_PER_SERIES = frozenset({"rate", "increase"})  # about names of series that hold samples
_MOST_PAIRS = 4_000_000
_member_of = itemgetter(MEMBER)


@dataclass(frozen=True, slots=True)
class _Remark:
    severity: Severity
    message: str
    place: int
    members: frozenset[int] | None  # None: all of them


class FusedAnnotations(AnnotationCollector):
    """Gathers remarks and whom they concern; spans are places in the fused tree.

    What varies may only remark while ``gathering``: otherwise nobody could say whose it is.
    """

    def __init__(self) -> None:
        super().__init__("")
        self._remarks: list[_Remark] = []
        self._is_shared = False
        self._gathered: list[_Remark] | None = None

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Take what is remarked as everybody's."""
        before, self._is_shared = self._is_shared, True
        try:
            yield
        finally:
            self._is_shared = before

    @contextmanager
    def gathering(self) -> Iterator[list[_Remark]]:
        """Hold back what is remarked, until ``attribute`` says whose it is."""
        before, self._gathered = self._gathered, []
        try:
            yield self._gathered
        finally:
            self._gathered = before

    def warn(self, message: str, span: Span) -> None:
        """Add a warning."""
        self._remark(Severity.WARNING, message, span)

    def inform(self, message: str, span: Span) -> None:
        """Add a note."""
        self._remark(Severity.INFO, message, span)

    def _remark(self, severity: Severity, message: str, span: Span) -> None:
        remark = _Remark(severity, message, span.start, None)
        if self._is_shared:
            self._remarks.append(remark)
        elif self._gathered is not None:
            self._gathered.append(remark)
        else:
            raise UnfusableError(message)

    def attribute(self, remarks: list[_Remark], members: frozenset[int]) -> None:
        """Give held back remarks to members."""
        self._remarks += [_Remark(one.severity, one.message, one.place, members) for one in remarks]

    def of_member(self, member: int, shape: FusedShape, text: str) -> tuple[Annotation, ...]:
        """Return a member's annotations, with the positions in its own text."""
        found: dict[Annotation, None] = {}
        for remark in self._remarks:
            if remark.members is None or member in remark.members:
                start = shape.shapes[member].places[remark.place].span.start
                line, column = line_column(text, start)
                found[Annotation(remark.severity, remark.message, line, column)] = None
        return tuple(found)

    @property
    def is_silent(self) -> bool:
        """Tell whether nothing was remarked."""
        return not self._remarks


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedEvaluator(Evaluator):
    """Evaluates a ``FusedShape``'s expression.

    A varying vector has the label MEMBER on every series; a varying number is a StepScalar of
    float64[members, steps]. Raise UnfusableError where members can't be told apart.
    """

    shape: FusedShape
    remarks: FusedAnnotations
    _ranges: dict[int, RangeVector] = field(default_factory=dict)
    _owners: dict[int, tuple[tuple[Labels, ...], Int64Array]] = field(default_factory=dict)

    def evaluate(self, node: nodes.Expression, times_ms: Int64Array) -> Value:
        """Return the value of ``node``; what does not vary is evaluated once."""
        if node.span.start not in self.shape.varying:
            with self.remarks.shared():
                return Evaluator.evaluate(self, node, times_ms)
        match node:
            case nodes.NumberLiteral():
                return StepScalar(self.shape.numbers[node.span.start])
            case nodes.VectorSelector():
                return self._expanded(node, Evaluator.evaluate(self, node, times_ms))
            case nodes.Call() if node.function in _ABSENCE:
                return self._absent(node, times_ms)
            case nodes.Call() if node.function == "vector":
                return self._vector(self.evaluate(node.arguments[0], times_ms), len(times_ms))
            case nodes.Call() if (selector := self._direct_selector(node)) is not None:
                return self._of_selector(node, selector, times_ms)
            case _:
                return Evaluator.evaluate(self, node, times_ms)

    def argument(self, function: str, argument: nodes.Expression, times_ms: Int64Array) -> Value:
        """Return an argument's value; ranges are kept, to see whom a remark concerns."""
        value = Evaluator.argument(self, function, argument, times_ms)
        inner = nodes.unwrap(argument)
        if isinstance(inner, nodes.MatrixSelector) and isinstance(value, RangeVector):
            self._ranges[inner.selector.span.start] = value
        return value

    def combined(self, node: nodes.Binary, left: Value, right: Value) -> Value:
        """Apply an operator; a side that is the same for all members meets every one of them."""
        is_number = isinstance(left, StepScalar) and isinstance(right, StepScalar)
        if is_number or node.span.start not in self.shape.varying:
            return Evaluator.combined(self, node, left, right)
        if isinstance(left, StepVector) and node.left.span.start not in self.shape.varying:
            left = self._for_members(node, left, right, is_left=True)
        if isinstance(right, StepVector) and node.right.span.start not in self.shape.varying:
            right = self._for_members(node, right, left, is_left=False)
        left, right = self._per_row(left, right), self._per_row(right, left)
        return Evaluator.combined(self, node, left, right)

    def groups(self, vector: StepVector, node: nodes.Aggregation) -> Groups:
        """Group a vector as an aggregation asks; the groups of the same series are remembered."""
        place = node.span.start
        known = self.shape.groups.get(place)
        if known is None or known[0] is not vector.labels:
            known = self.shape.groups[place] = (vector.labels, grouped_labels(vector.labels, node))
        return regrouped(known[1], vector)

    def by_member(self, value: Value) -> Mapping[int, Value]:
        """Return the members' own values; those of an instant vector only where it is not empty."""
        members = range(len(self.shape))
        if self.shape.expression.span.start not in self.shape.varying:
            return dict.fromkeys(members, value)
        if isinstance(value, StepScalar):
            return {member: StepScalar(value.values[member]) for member in members}
        if not isinstance(value, StepVector):
            raise UnfusableError("no instant vector")
        final = value.trimmed().with_final_labels()
        rows: dict[int, list[int]] = {}
        for row, owner in enumerate(self._owners_of(final.labels).tolist()):
            rows.setdefault(owner, []).append(row)
        return {member: _without_member(final.take(rows[member])) for member in sorted(rows)}

    def _direct_selector(self, node: nodes.Call) -> nodes.VectorSelector | None:
        """Return the varying selector whose samples a function looks at itself."""
        for argument in node.arguments:
            inner = nodes.unwrap(argument)
            if inner.span.start not in self.shape.varying:
                continue
            if isinstance(inner, nodes.MatrixSelector):
                return inner.selector
            if isinstance(inner, nodes.VectorSelector) and node.function == "timestamp":
                return inner
        return None

    def _of_selector(
        self, node: nodes.Call, selector: nodes.VectorSelector, times_ms: Int64Array
    ) -> StepVector:
        """Compute a function once per series found, then give its results to the members."""
        with self.remarks.gathering() as gathered:
            value = Evaluator.evaluate(self, node, times_ms)
        expanded = self._expanded(selector, value)
        if gathered:
            self.remarks.attribute(gathered, self._concerned(node, selector, value))
        return expanded

    def _concerned(
        self, node: nodes.Call, selector: nodes.VectorSelector, value: Value
    ) -> frozenset[int]:
        """Return the members for whom a function would make its remark: those with a result."""
        is_named = any(
            one.name == METRIC_NAME and one.op is MatchOp.EQUAL for one in selector.matchers
        )
        if node.function not in _REMARK_PER_SERIES or not is_named:
            raise UnfusableError("a remark that can't be attributed")
        assert isinstance(value, StepVector)
        samples = self._ranges[selector.span.start].samples
        if samples.histograms is not None or samples.start_times_ms is not None:
            raise UnfusableError("remarks about samples that can't be told apart")
        assignment = self.shape.assignments[selector.span.start]
        return frozenset(assignment.members_of(value.labels, value.used))

    def _expanded(self, selector: nodes.VectorSelector, value: Value) -> StepVector:
        assert isinstance(value, StepVector)
        expanded = self.shape.assignments[selector.span.start].expanded(value)
        self.reader.budget.charge(expanded.values.size)
        return expanded

    def _absent(self, node: nodes.Call, times_ms: Int64Array) -> StepVector:
        argument = nodes.unwrap(node.arguments[0])
        value = self.argument(node.function, argument, times_ms)
        if isinstance(value, RangeVector):
            kernel = OVER_TIME_KERNELS["present_over_time"]
            values, present = value.samples.compute(kernel, self.reader.budget.check)
            value = StepVector(
                labels=value.labels, values=values, present=present, drop_name=value.drop_name
            )
            if isinstance(argument, nodes.MatrixSelector):
                value = self._expanded(argument.selector, value)
        assert isinstance(value, StepVector)
        found = np.zeros((len(self.shape), len(times_ms)), dtype=np.bool_)
        np.logical_or.at(found, self._owners_of(value.labels), value.present)
        members = np.flatnonzero(~found.all(axis=1)).tolist()
        labels = tuple(
            asked_labels(nodes.unwrap(self.shape.shapes[member].places[argument.span.start]))
            | {MEMBER: str(member)}
            for member in members
        )
        missing = ~found[members]
        dropped = np.zeros(len(members), dtype=np.bool_)
        ones = np.ones(missing.shape)
        return StepVector(labels=labels, values=ones, present=missing, drop_name=dropped)

    def _vector(self, value: Value, steps: int) -> StepVector:
        assert isinstance(value, StepScalar)
        members = len(self.shape)
        values = np.broadcast_to(value.values, (members, steps)).copy()
        return StepVector(
            labels=tuple({MEMBER: str(member)} for member in range(members)),
            values=values,
            present=np.ones(values.shape, dtype=np.bool_),
            drop_name=np.zeros(members, dtype=np.bool_),
        )

    def _for_members(
        self, node: nodes.Binary, vector: StepVector, other: Value, *, is_left: bool
    ) -> StepVector:
        """Return a row per member and series; only those a comparison with its number keeps."""
        members = len(self.shape)
        if vector.has_histograms:
            raise UnfusableError("remarks about histograms among numbers")
        if members * vector.values.size > _MOST_PAIRS:
            raise UnfusableError("too many pairs of members and series")
        kept = np.broadcast_to(vector.used, (members, len(vector)))
        is_filter = node.operator in COMPARISONS and not node.is_bool
        if is_filter and isinstance(other, StepScalar):
            kept = kept & self._holding(node, vector, other, is_left=is_left)
        owners, rows = np.nonzero(kept)
        self.reader.budget.charge(len(rows) * vector.steps)
        labels = tuple(
            {**vector.labels[row], MEMBER: str(owner)}
            for row, owner in zip(rows.tolist(), owners.tolist(), strict=True)
        )
        return replace(vector.take(rows), labels=labels)

    def _holding(
        self, node: nodes.Binary, vector: StepVector, other: StepScalar, *, is_left: bool
    ) -> BoolArray:
        """Tell for which members and series a comparison holds at any step."""
        numbers = np.broadcast_to(other.values, (len(self.shape), vector.steps))[:, None, :]
        pair = np.broadcast_arrays(vector.values[None, :, :], numbers)
        first, second = pair if is_left else reversed(pair)
        _, holds = operate(node.operator, first, second, is_bool=False)
        assert holds is not None
        return np.asarray((holds & vector.present[None, :, :]).any(axis=2), dtype=np.bool_)

    def _per_row(self, value: Value, other: Value) -> Value:
        """Return a number that varies as one number per row of the vector it meets."""
        is_varying = isinstance(value, StepScalar) and value.values.ndim > 1
        if not is_varying or not isinstance(other, StepVector):
            return value
        assert isinstance(value, StepScalar)
        return StepScalar(value.values[self._owners_of(other.labels)])

    def _owners_of(self, labels: tuple[Labels, ...]) -> Int64Array:
        """Return the member of each series."""
        known = self._owners.get(id(labels))
        if known is None:
            texts = map(_member_of, labels)
            known = (labels, np.fromiter(map(int, texts), np.int64, len(labels)))
            self._owners[id(labels)] = known
        return known[1]


def _without_member(vector: StepVector) -> StepVector:
    return replace(vector, labels=tuple(without(labels, (MEMBER,)) for labels in vector.labels))
