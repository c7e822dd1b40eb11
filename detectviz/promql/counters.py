"""Range functions of counters and gauges over time: rate and its family."""

from functools import partial

import numpy as np

from detectviz.promql.start_times import origins, restarted
from detectviz.promql.vectors import BoolArray
from detectviz.promql.windows import Computed, Kernel, Windows
from detectviz.tsdb.interface import Float64Array, Int64Array

_EXTRAPOLATED = 1.1
_MS_PER_S = 1000.0


def reset_corrections(
    values: Float64Array, offsets: Int64Array, restarts: BoolArray | None = None
) -> Float64Array | None:
    """Return what counter resets took away before each sample; None if there was none.

    ``restarts`` tells of each sample but the first whether it is known to count anew.
    Corrections start anew with each series, so that they never drown its own differences.
    """
    falls = values[1:] < values[:-1]
    if restarts is not None:
        falls |= restarts
    borders = offsets[1:-1]
    falls[borders[(borders > 0) & (borders < len(values))] - 1] = False
    places = np.flatnonzero(falls)
    if not len(places):
        return None
    lost = np.zeros(len(values))
    lost[places + 1] = values[places]
    series = np.unique(offsets.searchsorted(places, "right") - 1)
    for row in series.tolist():
        begin, end = int(offsets[row]), int(offsets[row + 1])
        np.cumsum(lost[begin:end], out=lost[begin:end])
    return lost


def extrapolated(windows: Windows, *, is_counter: bool, is_rate: bool) -> Computed:
    """Compute ``rate``, ``increase`` or ``delta`` (Prometheus' ``extrapolatedRate``, 3.x)."""
    first, last = windows.first, windows.last
    present = windows.counts >= 2  # noqa: PLR2004 - a difference needs two samples
    first_value = windows.values.take(first)
    result: Float64Array = windows.values.take(last)
    result -= first_value
    if is_counter:
        lost = reset_corrections(windows.values, windows.offsets, restarted(windows))
        if lost is not None:
            result += lost[last] - lost[first]
        begun = origins(windows)
        if begun is not None:
            result += np.where(begun.known, first_value, 0.0)
            present |= begun.known
    result *= extrapolation(windows, first_value, result, is_counter=is_counter, is_rate=is_rate)
    return result, present


def extrapolation(
    windows: Windows,
    first_value: Float64Array,
    result: Float64Array,
    *,
    is_counter: bool,
    is_rate: bool,
) -> Float64Array:
    """Return what differences are multiplied by to reach to the edges of their windows.

    For a rate this includes the division by the window's length in seconds. All arrays are
    [series, steps]; windows of one sample give nothing of meaning, unless it is known when a
    counter began inside of them.
    """
    first, last, counts = windows.first, windows.last, windows.counts
    # All durations are milliseconds: the factor has no unit.
    first_time, last_time = windows.timestamps_ms.take(first), windows.timestamps_ms.take(last)
    sampled = (last_time - first_time).astype(np.float64)
    half = sampled / (counts - 1)
    threshold = half * _EXTRAPOLATED
    half /= 2
    to_start = (first_time - windows.starts_ms).astype(np.float64)
    np.copyto(to_start, half, where=to_start >= threshold)
    if is_counter:
        to_zero = first_value / result
        to_zero *= sampled
        falls_to_zero = to_zero < to_start
        falls_to_zero &= result > 0
        falls_to_zero &= first_value >= 0
        np.copyto(to_start, to_zero, where=falls_to_zero)
        begun = origins(windows)
        if begun is not None:
            sampled = np.where(begun.known, last_time - begun.times_ms, sampled)
            to_start = np.where(begun.known, 0.0, to_start)
            alone = counts == 1
            threshold, half = np.where(alone, 0.0, threshold), np.where(alone, 0.0, half)
    factor: Float64Array = (windows.ends_ms - last_time).astype(np.float64)
    np.copyto(factor, half, where=factor >= threshold)
    factor += to_start
    factor += sampled
    factor /= sampled
    if is_rate:
        factor /= (windows.ends_ms - windows.starts_ms) / _MS_PER_S
    return factor


def instant_difference(windows: Windows, *, is_rate: bool) -> Computed:
    """Compute ``irate`` or ``idelta`` from the last two samples."""
    present = windows.counts >= 2  # noqa: PLR2004 - a difference needs two samples
    last = windows.last
    previous = np.maximum(last - 1, 0)
    newer, older = windows.values[last], windows.values[previous]
    if not is_rate:
        return newer - older, present
    elapsed = (windows.timestamps_ms[last] - windows.timestamps_ms[previous]) / _MS_PER_S
    is_new = newer < older
    restarts = restarted(windows)
    if restarts is not None and len(restarts):
        is_new |= restarts[np.minimum(previous, len(restarts) - 1)]
    return np.where(is_new, newer, newer - older) / elapsed, present


def count_events(windows: Windows, happened: np.ndarray) -> Computed:
    """Count where ``happened[i]`` (between samples i and i + 1) inside each window."""
    before = np.zeros(len(windows.values), dtype=np.int64)
    np.cumsum(happened, out=before[1:])
    present = windows.counts > 0
    return (before[windows.last] - before[windows.first]).astype(np.float64), present


COUNTER_KERNELS: dict[str, Kernel] = {
    "rate": partial(extrapolated, is_counter=True, is_rate=True),
    "increase": partial(extrapolated, is_counter=True, is_rate=False),
    "delta": partial(extrapolated, is_counter=False, is_rate=False),
    "irate": partial(instant_difference, is_rate=True),
    "idelta": partial(instant_difference, is_rate=False),
}
