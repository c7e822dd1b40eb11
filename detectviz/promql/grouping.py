"""Groups of series by some of their labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.labels import Labels, key_with, label_key, only, without
from detectviz.promql.vectors import BoolArray, StepVector
from detectviz.tsdb.interface import METRIC_NAME, Int64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The rows of a vector, sorted by group.

    Group g owns ``order[starts[g]:starts[g + 1]]``; ``labels[g]`` identify it; ``drop_name[g]``
    tells whether any of its series is to lose its name.
    """

    order: Int64Array
    starts: Int64Array
    labels: tuple[Labels, ...]
    drop_name: BoolArray

    def __len__(self) -> int:
        """Count the groups."""
        return len(self.labels)

    def members(self, group: int) -> Int64Array:
        """Return the rows of one group."""
        end = self.starts[group + 1] if group + 1 < len(self.starts) else len(self.order)
        return self.order[self.starts[group] : end]


def group_series(vector: StepVector, node: nodes.Aggregation) -> Groups:
    """Group the series of ``vector`` (at least one) as an aggregation asks."""
    return regrouped(grouped_labels(vector.labels, node), vector)


def grouped_labels(series: tuple[Labels, ...], node: nodes.Aggregation) -> Groups:
    """Group label sets (at least one) as an aggregation asks; no name is to be dropped yet."""
    codes, labels = _codes(series, node.grouping, is_without=node.is_without)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(labels)))
    dropped = np.zeros(len(labels), dtype=np.bool_)
    return Groups(order=order, starts=starts, labels=tuple(labels), drop_name=dropped)


def regrouped(groups: Groups, vector: StepVector) -> Groups:
    """Return groups of a vector's labels with what it says of its names."""
    dropped = np.logical_or.reduceat(vector.drop_name[groups.order], groups.starts)
    return replace(groups, drop_name=dropped)


def _codes(
    series: Sequence[Labels], names: tuple[str, ...], *, is_without: bool
) -> tuple[Int64Array, list[Labels]]:
    codes = np.empty(len(series), dtype=np.int64)
    seen: dict[object, int] = {}
    labels: list[Labels] = []
    excluded = {*names, METRIC_NAME}
    for row, one in enumerate(series):
        kept = without(one, excluded) if is_without else one
        key: object = label_key(kept) if is_without else key_with(one, names)
        code = seen.setdefault(key, len(labels))
        if code == len(labels):
            labels.append(kept if is_without else only(one, names))
        codes[row] = code
    return codes, labels
