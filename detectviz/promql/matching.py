"""Binary operators between vectors: which series meet, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.annotations import AnnotationCollector
from detectviz.promql.errors import EvaluationError
from detectviz.promql.labels import (
    Labels,
    format_labels,
    key_with,
    label_key,
    only,
    without,
    without_name,
)
from detectviz.promql.operators import Samples, operate_samples
from detectviz.promql.signatures import COMPARISONS, TRIMS
from detectviz.promql.vectors import BoolArray, StepVector, concatenated, empty_vector
from detectviz.tsdb.interface import METRIC_NAME, Int64Array

_ONE_TO_ONE = nodes.Matching()


def signatures(series: Sequence[Labels], matching: nodes.Matching) -> list[object]:
    """Return what each label set is matched by; the metric name counts only after ``on``."""
    if matching.is_on:
        return [key_with(labels, matching.labels) for labels in series]
    excluded = {*matching.labels, METRIC_NAME}
    return [label_key(without(labels, excluded)) for labels in series]


def match_labels(labels: Labels, matching: nodes.Matching) -> dict[str, str]:
    """Return the labels that identify a match group."""
    if matching.is_on:
        return only(labels, matching.labels)
    return without(labels, {*matching.labels, METRIC_NAME})


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Rows of the many side and of the one side that meet."""

    many: Int64Array
    one: Int64Array


class _Join:
    def __init__(
        self,
        node: nodes.Binary,
        left: StepVector,
        right: StepVector,
        annotations: AnnotationCollector,
    ) -> None:
        self.node = node
        self.annotations = annotations
        self.matching = node.matching or _ONE_TO_ONE
        self.is_swapped = self.matching.group == "right"
        self.many, self.one = (right, left) if self.is_swapped else (left, right)
        if self.matching.is_filled:
            self._fill()

    def _fill(self) -> None:
        """Add stand-ins to each side for what the other side has and it lacks, step by step.

        As in Prometheus ``fill_left`` is for the side of many, even if that is the right one.
        """
        many_fill, one_fill = self.matching.fill_left, self.matching.fill_right
        many, one = self.many, self.one
        if many_fill is not None:
            self.many = concatenated(many, _stand_ins(one, many, self.matching, many_fill))
        if one_fill is not None:
            self.one = concatenated(one, _stand_ins(many, one, self.matching, one_fill))

    def run(self) -> StepVector:
        many_keys = signatures(self.many.labels, self.matching)
        one_rows: dict[object, list[int]] = {}
        for row, key in enumerate(signatures(self.one.labels, self.matching)):
            one_rows.setdefault(key, []).append(row)
        self._refuse_duplicates(one_rows)
        pairs = _pairs(many_keys, one_rows)
        if not len(pairs.many):
            return empty_vector(self.many.steps)
        found = self._operated(pairs)
        labels = self._labels(pairs)
        self._refuse_ambiguous(pairs, labels, many_keys, found.present)
        joined = StepVector(
            labels=tuple(labels),
            values=found.values,
            present=found.present,
            drop_name=self.many.drop_name[pairs.many] | self.node.is_bool,
            histograms=found.histograms,
        )
        return joined.merged()

    def _refuse_duplicates(self, one_rows: dict[object, list[int]]) -> None:
        """Refuse two samples of one match group on the one side, at steps where both sides live."""
        alive = self.many.present.any(axis=0)
        for rows in one_rows.values():
            if len(rows) == 1:
                continue
            crowded = (self.one.present[rows].sum(axis=0) > 1) & alive
            if crowded.any():
                step = int(np.argmax(crowded))
                raise self._duplicate([row for row in rows if self.one.present[row, step]])

    def _duplicate(self, rows: list[int]) -> EvaluationError:
        first, second = (self.one.labels[row] for row in rows[:2])
        group = format_labels(match_labels(first, self.matching))
        side = "left" if self.is_swapped else "right"
        return EvaluationError(
            f"found duplicate series for the match group {group} on the {side} hand-side of "
            f"the operation: [{format_labels(second)}, {format_labels(first)}];many-to-many "
            "matching not allowed: matching labels must be unique on one side"
        )

    def _operated(self, pairs: _Pairs) -> Samples:
        many, one = _samples(self.many, pairs.many), _samples(self.one, pairs.one)
        left, right = (one, many) if self.is_swapped else (many, one)
        return operate_samples(self.node, left, right, self.annotations)

    def _labels(self, pairs: _Pairs) -> list[Labels]:
        drops_name = self.node.operator not in COMPARISONS | TRIMS
        kept = self.matching.labels
        found: list[Labels] = []
        for many_row, one_row in zip(pairs.many.tolist(), pairs.one.tolist(), strict=True):
            labels = dict(self.many.labels[many_row])
            if drops_name:
                labels = without_name(labels)
            if self.matching.group is None:
                labels = only(labels, kept) if self.matching.is_on else without(labels, kept)
            for name in self.matching.include:
                value = self.one.labels[one_row].get(name, "")
                labels.pop(name, None)
                if value:
                    labels[name] = value
            found.append(labels)
        return found

    def _refuse_ambiguous(
        self,
        pairs: _Pairs,
        labels: list[Labels],
        many_keys: list[object],
        present: BoolArray,
    ) -> None:
        """Refuse two results at one step: of one match group, or of the same labels."""
        if self.matching.group is None:
            keys: list[object] = [many_keys[row] for row in pairs.many.tolist()]
            reason = "many-to-one matching must be explicit (group_left/group_right)"
        else:
            keys = [label_key(one) for one in labels]
            reason = "grouping labels must ensure unique matches"
        together: dict[object, list[int]] = {}
        for index, key in enumerate(keys):
            together.setdefault(key, []).append(index)
        for rows in together.values():
            if len(rows) > 1 and (present[rows].sum(axis=0) > 1).any():
                raise EvaluationError(f"multiple matches for labels: {reason}")


def _samples(vector: StepVector, rows: Int64Array) -> Samples:
    histograms = None if vector.histograms is None else vector.histograms[rows]
    return Samples(vector.values[rows], vector.present[rows], histograms)


def _stand_ins(
    present: StepVector, lacking: StepVector, matching: nodes.Matching, value: float
) -> StepVector:
    """Return one series per match group of ``present``, at steps where ``lacking`` has none."""
    keys = signatures(present.labels, matching)
    first = {key: row for row, key in reversed(list(enumerate(keys)))}
    wanted = _presence(list(first), keys, present)
    found = _presence(list(first), signatures(lacking.labels, matching), lacking)
    return StepVector(
        labels=tuple(match_labels(present.labels[row], matching) for row in first.values()),
        values=np.full(wanted.shape, value),
        present=wanted & ~found,
        drop_name=np.zeros(len(first), dtype=np.bool_),
    )


def _pairs(many_keys: list[object], one_rows: dict[object, list[int]]) -> _Pairs:
    pairs = [(row, one) for row, key in enumerate(many_keys) for one in one_rows.get(key, ())]
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return _Pairs(both[:, 0], both[:, 1])


def join_vectors(
    node: nodes.Binary, left: StepVector, right: StepVector, annotations: AnnotationCollector
) -> StepVector:
    """Apply an arithmetic or comparison operator between matching series.

    Raise EvaluationError in Prometheus' words when a match is ambiguous.
    """
    return _Join(node, left, right, annotations).run()


def combine_sets(node: nodes.Binary, left: StepVector, right: StepVector) -> StepVector:
    """Apply ``and``, ``or`` or ``unless`` between vectors, step by step."""
    matching = node.matching or _ONE_TO_ONE
    left_keys = signatures(left.labels, matching)
    right_keys = signatures(right.labels, matching)
    if node.operator == "or":
        covered = _presence(right_keys, left_keys, left)
        return concatenated(left, right.filtered(~covered)).merged()
    found = _presence(left_keys, right_keys, right)
    return left.filtered(found if node.operator == "and" else ~found)


def _presence(keys: list[object], other_keys: list[object], other: StepVector) -> BoolArray:
    """Tell, per key and step, whether the other vector has a sample under that key."""
    found: dict[object, BoolArray] = {}
    for row, key in enumerate(other_keys):
        present = other.present[row]
        found[key] = found[key] | present if key in found else present
    nothing = np.zeros(other.steps, dtype=np.bool_)
    if not keys:
        return np.zeros((0, other.steps), dtype=np.bool_)
    return np.stack([found.get(key, nothing) for key in keys])
