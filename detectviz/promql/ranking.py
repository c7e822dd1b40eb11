"""Aggregations that choose series or make them from values: topk, limitk, count_values."""

import hashlib
import math
from collections.abc import Iterator

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.annotations import AnnotationCollector
from detectviz.promql.errors import EvaluationError
from detectviz.promql.grouping import Groups
from detectviz.promql.histograms.text import format_histogram
from detectviz.promql.labels import Labels, is_valid_label_name, label_key
from detectviz.promql.limits import Budget
from detectviz.promql.numbers import format_fixed, format_general
from detectviz.promql.quoting import quote
from detectviz.promql.vectors import BoolArray, StepVector, empty_vector
from detectviz.tsdb.interface import METRIC_NAME, Float64Array, Int64Array

_LARGEST_INT64 = 2.0**63
_BETWEEN_CHECKS = 1024  # series made between two looks at the clock


def check_parameter(operator: str, parameter: Float64Array) -> None:
    """Refuse a parameter no choice can be made by, whether or not there is anything to choose."""
    if operator == "limit_ratio" and np.isnan(parameter).any():
        raise EvaluationError("Ratio value is NaN")
    if operator in {"topk", "bottomk", "limitk"}:
        _whole_numbers(parameter)


def _whole_numbers(parameter: Float64Array) -> Int64Array:
    if np.isnan(parameter).any():
        raise EvaluationError("Parameter value is NaN")
    if (parameter >= _LARGEST_INT64).any():
        raise EvaluationError(f"Scalar value {format_general(parameter.max())} overflows int64")
    if (parameter < -_LARGEST_INT64).any():
        raise EvaluationError(f"Scalar value {format_general(parameter.min())} underflows int64")
    return parameter.astype(np.int64)


def choose_extreme(
    vector: StepVector, groups: Groups, k: Float64Array, *, is_top: bool
) -> StepVector:
    """Keep the ``k`` (float64[steps]) largest or smallest of each group; NaN comes last.

    With a single step the series are ordered by rank within each group.
    """
    wanted = _whole_numbers(k)
    kept = np.zeros(vector.present.shape, dtype=np.bool_)
    rows: list[int] = []
    for group in range(len(groups)):
        members = groups.members(group)
        values, present = vector.values[members], vector.present[members]
        order = np.lexsort((-values if is_top else values, ~present), axis=0)
        chosen = np.zeros(present.shape, dtype=np.bool_)
        np.put_along_axis(chosen, order, np.arange(len(members))[:, None] < wanted, axis=0)
        kept[members] = present & chosen
        rows += members[order[:, 0]].tolist()
    found = vector.filtered(kept)
    return found.take(rows) if vector.steps == 1 else found


def choose_some(vector: StepVector, groups: Groups, k: Float64Array) -> StepVector:
    """Keep any ``k`` (float64[steps]) series of each group: the first ones."""
    wanted = _whole_numbers(k)
    kept = np.zeros(vector.present.shape, dtype=np.bool_)
    for group in range(len(groups)):
        members = groups.members(group)
        present = vector.present[members]
        kept[members] = present & (np.cumsum(present, axis=0) <= wanted)
    return vector.filtered(kept)


def choose_share(
    vector: StepVector,
    ratio: Float64Array,
    node: nodes.Aggregation,
    annotations: AnnotationCollector,
) -> StepVector:
    """Keep a share of the series by a hash of their labels; a negative ratio is the complement."""
    span = (node.parameter or node).span
    for value in np.unique(ratio[np.abs(ratio) > 1]).tolist():
        limit = math.copysign(1.0, value)
        annotations.warn(
            f"ratio value should be between -1 and 1, got {format_general(value)}, "
            f"capping to {format_general(limit)}",
            span,
        )
    bounded = np.clip(ratio, -1.0, 1.0)
    position = np.array([_position(labels) for labels in vector.labels]).reshape(-1, 1)
    kept: BoolArray = np.where(bounded >= 0, position < bounded, position >= 1.0 + bounded)
    return vector.filtered(kept)


def _position(labels: Labels) -> float:
    """Return a place in [0, 1) that depends on the labels only."""
    text = "\0".join(part for pair in label_key(labels) for part in pair)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48


def _counted(members: StepVector, budget: Budget) -> Iterator[tuple[str, Int64Array]]:
    """Yield each sample that occurs, as text, and how often it does at each step."""
    floats = members.floats()
    held = floats.values[floats.present]
    found, codes = np.unique(held, return_inverse=True)
    budget.charge(len(found) * members.steps)
    budget.check()
    places = codes * members.steps + np.nonzero(floats.present)[1]
    counts = np.bincount(places, minlength=len(found) * members.steps)
    rows = counts.reshape(len(found), members.steps)
    for index, (value, row) in enumerate(zip(found.tolist(), rows, strict=True)):
        if index % _BETWEEN_CHECKS == 0:
            budget.check()
        yield format_fixed(value), row
    if members.histograms is None:
        return
    texts = np.full(members.present.shape, "", dtype=np.object_)
    native = members.is_histogram
    texts[native] = [format_histogram(one) for one in members.histograms[native].tolist()]
    for text in sorted(set(texts[native].tolist())):
        budget.charge(members.steps)
        budget.check()
        yield text, (texts == text).sum(axis=0)


def count_values(vector: StepVector, groups: Groups, name: str, budget: Budget) -> StepVector:
    """Count equal samples per group; what they equal becomes label ``name``."""
    if not is_valid_label_name(name):
        raise EvaluationError(f"invalid label name {quote(name)}")
    labels: list[Labels] = []
    counts: list[Int64Array] = []
    dropped: list[bool] = []
    for group in range(len(groups)):
        for text, count in _counted(vector.take(groups.members(group)), budget):
            labels.append({**groups.labels[group], name: text})
            counts.append(count)
            is_named = name == METRIC_NAME
            dropped.append(bool(groups.drop_name[group]) and not is_named)
    if not labels:
        return empty_vector(vector.steps)
    numbers = np.array(counts, dtype=np.float64)
    counted = StepVector(
        labels=tuple(labels),
        values=numbers,
        present=numbers > 0,
        drop_name=np.array(dropped, dtype=np.bool_),
    )
    return counted.merged()
