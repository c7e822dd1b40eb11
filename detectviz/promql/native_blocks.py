"""Sums and differences of histograms of one layout, for many windows or steps at once.

Each function answers what the histograms one by one would; series and groups of mixed layouts are
left to that.
"""

from dataclasses import dataclass

import numpy as np

from detectviz.promql.histograms.blocks import Block, HintArray
from detectviz.promql.summation import (
    row_group_means,
    row_group_sums,
    window_means,
    window_sums,
)
from detectviz.promql.vectors import BoolArray
from detectviz.tsdb.histograms import CounterReset
from detectviz.tsdb.interface import Float64Array, Int64Array


@dataclass(frozen=True, slots=True)
class Hints:
    """What the hints of some sets of histograms say together.

    ``joint`` int8[sets] is the hint of their sum; ``conflicts`` bool[sets] tells where some say
    that there was a restart and some that there was none.
    """

    joint: HintArray
    conflicts: BoolArray


def joint_hints(found: dict[CounterReset, BoolArray]) -> Hints:
    """Return what hints say together, from which of them occur in each set."""
    kinds = np.sum([found[hint] for hint in CounterReset], axis=0)
    joint = np.full(kinds.shape, CounterReset.UNKNOWN, dtype=np.int8)
    for hint in CounterReset:
        joint[(kinds == 1) & found[hint]] = hint
    joint[found[CounterReset.GAUGE]] = CounterReset.GAUGE
    return Hints(joint, found[CounterReset.YES] & found[CounterReset.NO])


def hints_of_windows(hints: HintArray, low: Int64Array, high: Int64Array) -> Hints:
    """Return what the hints of ``hints[low:high]`` say together, window by window."""
    return joint_hints({hint: _occurs(hints == hint, low, high) for hint in CounterReset})


def _occurs(marked: BoolArray, low: Int64Array, high: Int64Array) -> BoolArray:
    before = np.zeros(len(marked) + 1, dtype=np.int64)
    np.cumsum(marked, out=before[1:])
    return before[high] > before[low]


def window_differences(
    block: Block, low: Int64Array, high: Int64Array, *, is_counter: bool
) -> Block:
    """Return last minus first of ``block[low:high]``, with what restarts took away if a counter."""
    last = high - 1
    counts = block.counts[last] - block.counts[low]
    if is_counter:
        restarted = block.resets()
        if restarted.any():
            lost = np.zeros(block.counts.shape)
            lost[1:][restarted] = block.counts[:-1][restarted]
            np.cumsum(lost, axis=0, out=lost)
            counts += lost[last] - lost[low]
    return block.with_rows(counts, np.full(len(low), CounterReset.GAUGE, dtype=np.int8))


def window_totals(
    operator: str, block: Block, low: Int64Array, high: Int64Array, hints: HintArray
) -> Block:
    """Return the sum or average of ``block[low:high]``, window by window."""
    combine = window_sums if operator == "sum" else window_means
    columns = [combine(column, low, high) for column in np.ascontiguousarray(block.counts.T)]
    return block.with_rows(np.stack(columns, axis=1), hints)


def step_totals(operator: str, block: Block, held: BoolArray) -> tuple[Block, Hints]:
    """Return the sum or average of each step that has any histogram.

    ``held`` bool[members, steps] tells whose the rows of ``block`` are, in its order.
    """
    members, steps = held.shape
    spread = np.zeros((members, steps, block.counts.shape[1]))
    spread[held] = block.counts
    sizes = held.sum(axis=0)
    start = np.zeros(1, dtype=np.int64)
    flat = spread.reshape(members, -1)
    totals: Float64Array
    if operator == "sum":
        totals = row_group_sums(flat, start)
    else:
        repeated = np.repeat(np.maximum(sizes, 1), block.counts.shape[1]).astype(np.float64)
        totals = row_group_means(flat, start, repeated.reshape(1, -1))
    kinds = np.full(held.shape, -1, dtype=np.int8)
    kinds[held] = block.hints
    used = sizes > 0
    hints = joint_hints({hint: (kinds == hint).any(axis=0)[used] for hint in CounterReset})
    return block.with_rows(totals.reshape(steps, -1)[used], hints.joint), hints
