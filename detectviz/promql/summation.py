"""Compensated sums at the price of plain ones wherever nothing cancels."""

import math

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.interface import Float64Array, Int64Array

# Below this share of the sum of magnitudes, a plain sum may have lost what matters.
_CANCELLED = 1e-9
_EXACT_INTEGERS = 2.0**53
_HALVINGS = 64


def row_group_sums(values: Float64Array, starts: Int64Array) -> Float64Array:
    """Sum consecutive rows: group g holds rows ``starts[g]:starts[g + 1]``; [groups, steps].

    Where terms cancel, the sum is compensated as Prometheus does it, so results agree.
    """
    sums: Float64Array = np.add.reduceat(values, starts, axis=0)
    if _is_safe(values):
        return sums
    magnitudes = np.add.reduceat(np.abs(values), starts, axis=0)
    ends = np.append(starts[1:], len(values))
    for group, step in np.argwhere(_doubtful(sums, magnitudes)).tolist():
        sums[group, step] = compensated_sum(values[starts[group] : ends[group], step].tolist())
    return sums


def window_sums(values: Float64Array, low: Int64Array, high: Int64Array) -> Float64Array:
    """Sum ``values[low:high]`` for each window; empty windows give zero; same accuracy."""
    sums = reduce_windows(np.add, values, low, high)
    sums[high <= low] = 0.0
    if _is_safe(values):
        return sums
    magnitudes = reduce_windows(np.add, np.abs(values), low, high)
    for cell in np.argwhere(_doubtful(sums, magnitudes) & (high > low)).tolist():
        place = tuple(cell)
        sums[place] = compensated_sum(values[low[place] : high[place]].tolist())
    return sums


def window_means(values: Float64Array, low: Int64Array, high: Int64Array) -> Float64Array:
    """Average each window; no overflow when the mean itself is finite."""
    counts = np.maximum(high - low, 1)
    means: Float64Array = window_sums(values, low, high) / counts
    if np.isinf(means).any() and not np.isinf(values).all():
        scaled = window_sums(np.ldexp(values, -_HALVINGS), low, high)
        means = np.where(np.isinf(means), np.ldexp(scaled / counts, _HALVINGS), means)
    return means


def row_group_means(values: Float64Array, starts: Int64Array, counts: Float64Array) -> Float64Array:
    """Average consecutive rows by their counts; no overflow when the mean is finite."""
    means: Float64Array = row_group_sums(values, starts) / counts
    if np.isinf(means).any():
        scaled = row_group_sums(np.ldexp(values, -_HALVINGS), starts)
        means = np.where(np.isinf(means), np.ldexp(scaled / counts, _HALVINGS), means)
    return means


def reduce_windows(
    operation: np.ufunc, values: Float64Array, low: Int64Array, high: Int64Array
) -> Float64Array:
    """Reduce ``values[low:high]`` for each window; what empty windows give means nothing."""
    padded = np.append(values, 0.0)
    edges = np.stack((low.ravel(), np.maximum(low, high).ravel()), axis=1).ravel()
    reduced: Float64Array = operation.reduceat(padded, edges)[::2].reshape(low.shape)
    return reduced


def compensated_sum(values: list[float]) -> float:
    """Sum by the Kahan-Babuska-Neumaier method, as Prometheus' ``kahansum`` does."""
    total = lost = 0.0
    for value in values:
        new = total + value
        if math.isinf(new):
            lost = 0.0
        elif abs(total) >= abs(value):
            lost += (total - new) + value
        else:
            lost += (value - new) + total
        total = new
    return total if math.isinf(total) else total + lost


def _is_safe(values: Float64Array) -> bool:
    """Tell whether nothing can cancel: one sign, or integers small enough to add exactly."""
    if not values.size:
        return True
    least, most = values.min(), values.max()
    if least >= 0 or most <= 0:
        return True
    if not (np.isfinite(least) and np.isfinite(most)):
        return False
    bound = max(-least, most) * values.size
    return bool(bound < _EXACT_INTEGERS and (values == np.trunc(values)).all())


def _doubtful(sums: Float64Array, magnitudes: Float64Array) -> npt.NDArray[np.bool_]:
    finite = np.isfinite(magnitudes)
    doubtful: npt.NDArray[np.bool_] = finite & (np.abs(sums) < _CANCELLED * magnitudes)
    return doubtful
