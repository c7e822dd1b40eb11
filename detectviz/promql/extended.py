"""Floats of ``anchored`` and ``smoothed`` windows, which look beyond their edges.

An anchored window takes the last sample before it for its start; a smoothed one interpolates at
both edges. Semantics of Prometheus' extended range selectors (``extendedRate``, ``extendFloats``,
``smoothSeries``).
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.counters import reset_corrections
from detectviz.promql.errors import EvaluationError
from detectviz.promql.nodes import Extension
from detectviz.promql.vectors import BoolArray
from detectviz.promql.windows import Computed, Kernel, RangeSamples, Windows, upper_bounds
from detectviz.tsdb.interface import Float64Array, Int64Array

_MS_PER_S = 1000.0
_ALLOWED = {
    Extension.ANCHORED: ("changes", "delta", "increase", "rate", "resets"),
    Extension.SMOOTHED: ("delta", "increase", "rate"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """The samples an extended window begins and ends with: int64[series, steps].

    Where not ``present`` there is no sample to speak of inside the window.
    """

    first: Int64Array
    last: Int64Array
    present: BoolArray


def extension_of(node: nodes.Expression) -> Extension | None:
    """Return the extension of a range selector, if that is what ``node`` is."""
    inner = nodes.unwrap(node)
    return inner.selector.extension if isinstance(inner, nodes.MatrixSelector) else None


def check_extensions(expression: nodes.Expression) -> None:
    """Raise EvaluationError, in Prometheus' words, where a function knows no extended windows."""
    for node in nodes.walk(expression):
        if not isinstance(node, nodes.Call):
            continue
        for extension in filter(None, map(extension_of, node.arguments)):
            if node.function not in _ALLOWED[extension]:
                names = ", ".join(_ALLOWED[extension])
                raise EvaluationError(
                    f"{extension} modifier can only be used with: {names} - "
                    f"not with {node.function}"
                )


def edges(windows: Windows, extension: Extension) -> Edges:
    """Find the samples at or beyond the edges of windows, within what was read for them."""
    times, offsets = windows.timestamps_ms, windows.offsets
    before = upper_bounds(times, offsets, windows.starts_ms) - 1
    first = np.minimum(np.maximum(before, windows.low), len(times) - 1)
    last = windows.last
    present = windows.counts > 0
    if extension is Extension.SMOOTHED:
        reached = upper_bounds(times, offsets, windows.ends_ms - 1)
        last = np.maximum(np.minimum(reached, last), 0)
        present &= times[first] <= windows.ends_ms
    present &= times[last] > windows.starts_ms
    return Edges(first=first, last=last, present=present)


def _interpolated(
    windows: Windows, older: Int64Array, newer: Int64Array, at_ms: Int64Array, *, is_counter: bool
) -> Float64Array:
    """Return the values at ``at_ms`` on the line between two samples."""
    low, high = windows.values[older], windows.values[newer]
    if is_counter:
        low = np.where(high < low, 0.0, low)
    times = windows.timestamps_ms
    found: Float64Array = low + (high - low) * (at_ms - times[older]) / (
        times[newer] - times[older]
    )
    return found


def _at_edges(
    windows: Windows, found: Edges, extension: Extension, *, is_counter: bool
) -> tuple[Float64Array, Float64Array]:
    """Return the values at the start and the end of each window."""
    times = windows.timestamps_ms
    left, right = windows.values[found.first], windows.values[found.last]
    if extension is Extension.ANCHORED:
        return left, right
    following = np.minimum(found.first + 1, len(times) - 1)
    previous = np.maximum(found.last - 1, 0)
    starts, ends = windows.starts_ms, windows.ends_ms
    at_start = _interpolated(windows, found.first, following, starts, is_counter=is_counter)
    at_end = _interpolated(windows, previous, found.last, ends, is_counter=is_counter)
    is_after = (times[found.last] > ends) & (found.last > windows.low)
    return (
        np.where(times[found.first] < starts, at_start, left),
        np.where(is_after, at_end, right),
    )


def extended(
    windows: Windows, extension: Extension, *, is_counter: bool, is_rate: bool
) -> Computed:
    """Compute ``rate``, ``increase`` or ``delta`` between the edges of extended windows."""
    found = edges(windows, extension)
    left, right = _at_edges(windows, found, extension, is_counter=is_counter)
    result = right - left
    if is_counter:
        result += _lost(windows, found, left, right)
    if is_rate:
        result /= (windows.ends_ms - windows.starts_ms) / _MS_PER_S
    return result, found.present


def _lost(windows: Windows, found: Edges, left: Float64Array, right: Float64Array) -> Float64Array:
    """Return what resets took away between the edges and the samples strictly inside."""
    times, values = windows.timestamps_ms, windows.values
    first = found.first + (times[found.first] <= windows.starts_ms)
    last = found.last - (times[found.last] >= windows.ends_ms)
    is_empty = first > last
    first = np.minimum(first, len(values) - 1)
    last = np.maximum(last, 0)
    before, after = values[first], values[last]
    corrections = reset_corrections(values, windows.offsets)
    lost = np.zeros(left.shape) if corrections is None else corrections[last] - corrections[first]
    lost += np.where(before < left, left, 0.0) + np.where(right < after, after, 0.0)
    return np.where(is_empty, np.where(right < left, left, 0.0), lost)


def anchored_events(windows: Windows, happened: BoolArray) -> Computed:
    """Count where ``happened[i]`` (between samples i and i + 1) since the anchor."""
    found = edges(windows, Extension.ANCHORED)
    before = np.zeros(len(windows.values), dtype=np.int64)
    np.cumsum(happened, out=before[1:])
    return (before[found.last] - before[found.first]).astype(np.float64), found.present


def extended_kernel(function: str, extension: Extension) -> Kernel:
    """Return the kernel of ``rate``, ``increase`` or ``delta``."""
    is_counter, is_rate = function != "delta", function == "rate"
    return partial(extended, extension=extension, is_counter=is_counter, is_rate=is_rate)


def bounded(samples: RangeSamples, extension: Extension) -> RangeSamples:
    """Return what an extended selector itself shows: samples at both edges and those between.

    Raise EvaluationError where a series has histograms.
    """
    if samples.histograms is not None:
        raise EvaluationError(f"{extension} modifier is not supported with histograms")
    windows = samples.whole()
    if not len(windows.values):
        return samples
    found = edges(windows, extension)
    at_edges = _at_edges(windows, found, extension, is_counter=False)
    start, end = int(windows.starts_ms[0]), int(windows.ends_ms[0])
    times, values, sizes = [windows.timestamps_ms[:0]], [windows.values[:0]], [0]
    for row, is_present in enumerate(found.present[:, 0].tolist()):
        sizes.append(0)
        if is_present:
            held = slice(int(windows.low[row, 0]), int(windows.high[row, 0]))
            inside = windows.timestamps_ms[held]
            kept = (inside > start) & (inside < end)
            left, right = (one[row, :1] for one in at_edges)
            times.append(np.concatenate(([start], inside[kept], [end])))
            values.append(np.concatenate((left, windows.values[held][kept], right)))
            sizes[-1] = len(times[-1])
    return RangeSamples(
        offsets=np.cumsum(sizes, dtype=np.int64),
        timestamps_ms=np.concatenate(times),
        values=np.concatenate(values),
        ends_ms=samples.ends_ms,
        times_ms=samples.times_ms,
        range_ms=samples.range_ms + 1,
    )
