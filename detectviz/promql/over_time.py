"""The ``*_over_time`` family: one number from each window."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from detectviz.promql.summation import reduce_windows, window_means, window_sums
from detectviz.promql.windows import Computed, Kernel, Windows, in_pieces
from detectviz.tsdb.interface import Float64Array, Int64Array

_MS_PER_S = 1000.0
_MOST_PADDED_CELLS = 1_000_000


@dataclass(frozen=True, slots=True)
class FlatWindows:
    """All non-empty windows written out one after the other.

    ``index`` names a sample per place, ``lengths`` the size of each window and ``starts`` where
    it begins; ``cells`` bool[series, steps] are the windows meant.
    """

    index: Int64Array
    starts: Int64Array
    lengths: Int64Array
    cells: np.ndarray

    def sums(self, values: Float64Array) -> Float64Array:
        """Sum one value per place within each window."""
        sums: Float64Array = np.add.reduceat(values, self.starts)
        return sums

    def spread(self, per_window: Float64Array) -> Float64Array:
        """Repeat one value per window at each of its places."""
        return np.repeat(per_window, self.lengths)

    def filled(self, per_window: Float64Array) -> Float64Array:
        """Return float64[series, steps] with one value per window, NaN where none is."""
        out = np.full(self.cells.shape, np.nan)
        out[self.cells] = per_window
        return out


def flatten(windows: Windows, least: int = 1) -> FlatWindows | None:
    """Write out the windows of at least ``least`` samples; None if there are none."""
    cells = windows.counts >= least
    lengths = windows.counts[cells]
    if not len(lengths):
        return None
    starts = np.zeros(len(lengths), dtype=np.int64)
    np.cumsum(lengths[:-1], out=starts[1:])
    index = np.arange(int(lengths.sum())) + np.repeat(windows.low[cells] - starts, lengths)
    return FlatWindows(index, starts, lengths, cells)


def _piecewise(kernel: Kernel, windows: Windows) -> Computed:
    return in_pieces(windows, lambda piece, _: kernel(piece))


def _sum(windows: Windows) -> Computed:
    return window_sums(windows.values, windows.low, windows.high), windows.counts > 0


def _average(windows: Windows) -> Computed:
    return window_means(windows.values, windows.low, windows.high), windows.counts > 0


def _count(windows: Windows) -> Computed:
    return windows.counts.astype(np.float64), windows.counts > 0


def _minimum(windows: Windows) -> Computed:
    lowest = reduce_windows(np.fmin, windows.values, windows.low, windows.high)
    return lowest, windows.counts > 0


def _maximum(windows: Windows) -> Computed:
    highest = reduce_windows(np.fmax, windows.values, windows.low, windows.high)
    return highest, windows.counts > 0


def _first(windows: Windows) -> Computed:
    return windows.values[windows.first], windows.counts > 0


def _last(windows: Windows) -> Computed:
    return windows.values[windows.last], windows.counts > 0


def _time_of(windows: Windows, index: Int64Array) -> Computed:
    return windows.timestamps_ms[index] / _MS_PER_S, windows.counts > 0


def _time_of_first(windows: Windows) -> Computed:
    return _time_of(windows, windows.first)


def _time_of_last(windows: Windows) -> Computed:
    return _time_of(windows, windows.last)


def _time_of_extreme(windows: Windows, extreme: Kernel) -> Computed:
    """Find the last sample that equals its window's extreme; any if all are NaN."""
    flat = flatten(windows)
    if flat is None:
        return np.full(windows.low.shape, np.nan), windows.counts > 0
    wanted = extreme(windows)[0][flat.cells]
    is_extreme = (windows.values[flat.index] == flat.spread(wanted)) | np.isnan(flat.spread(wanted))
    last = np.maximum.reduceat(np.where(is_extreme, flat.index, 0), flat.starts)
    return flat.filled(windows.timestamps_ms[last] / _MS_PER_S), flat.cells


def _present(windows: Windows) -> Computed:
    return np.ones(windows.low.shape), windows.counts > 0


def _variance(windows: Windows) -> Computed:
    """Population variance about each window's first sample, so that equal samples give zero."""
    flat = flatten(windows)
    if flat is None:
        return np.full(windows.low.shape, np.nan), windows.counts > 0
    shift = windows.values[windows.low[flat.cells]]
    shifted = windows.values[flat.index] - flat.spread(shift)
    mean = flat.sums(shifted) / flat.lengths
    deviation = shifted - flat.spread(mean)
    return flat.filled(flat.sums(deviation * deviation) / flat.lengths), flat.cells


def _deviation(windows: Windows) -> Computed:
    variance, present = _variance(windows)
    return np.sqrt(variance), present


def sorted_quantiles(ordered: Float64Array, counts: Int64Array, q: Float64Array) -> Float64Array:
    """Interpolate the ``q`` quantile of the first ``counts`` values of each last-axis row.

    ``ordered`` is float64[..., n] ascending; ``q`` broadcasts against ``counts``. Below 0 gives
    -Inf, above 1 +Inf, NaN and empty rows NaN (Prometheus' ``quantile``).
    """
    rank = np.clip(np.nan_to_num(q), 0.0, 1.0) * (counts - 1.0)
    low = np.maximum(np.floor(rank), 0.0)
    weight = rank - low
    lower = np.clip(low.astype(np.int64), 0, ordered.shape[-1] - 1)
    upper = np.clip(np.minimum(lower + 1, counts - 1), 0, ordered.shape[-1] - 1)
    below = np.take_along_axis(ordered, lower[..., None], axis=-1)[..., 0]
    above = np.take_along_axis(ordered, upper[..., None], axis=-1)[..., 0]
    value = below * (1 - weight) + above * weight
    value = np.where(q < 0, -np.inf, np.where(q > 1, np.inf, value))
    return np.where((counts > 0) & ~np.isnan(q), value, np.nan)


def _padded(windows: Windows, row: int | slice) -> tuple[Float64Array, Int64Array]:
    """Return float64[..., longest] with each window's samples ascending, NaN first, Inf last.

    Prometheus sorts NaN below every number; places beyond a window hold +Inf.
    """
    low, counts = windows.low[row], windows.counts[row]
    longest = max(1, int(counts.max(initial=0)))
    index = low[..., None] + np.arange(longest)
    inside = np.arange(longest) < counts[..., None]
    values = windows.values[np.minimum(index, len(windows.values) - 1)]
    undefined = np.isnan(values) & inside
    values = np.where(inside, np.where(undefined, -np.inf, values), np.inf)
    values.sort(axis=-1)
    missing = undefined.sum(axis=-1)
    if missing.any():
        values[np.arange(longest) < missing[..., None]] = np.nan
    return values, counts


def _ordered(windows: Windows, q: Float64Array, *, is_deviation: bool) -> Computed:
    rows, steps = windows.low.shape
    longest = max(1, int(windows.counts.max(initial=0)))
    if steps > 1 and steps * longest > _MOST_PADDED_CELLS:
        halves = (slice(0, steps // 2), slice(steps // 2, steps))
        parts = [_ordered(windows.columns(h), q[h], is_deviation=is_deviation) for h in halves]
        return np.concatenate([part[0] for part in parts], axis=1), windows.counts > 0
    height = max(1, _MOST_PADDED_CELLS // max(1, steps * longest))
    out = np.empty(windows.low.shape)
    for start in range(0, rows, height):
        chunk = slice(start, start + height)
        ordered, counts = _padded(windows, chunk)
        out[chunk] = sorted_quantiles(ordered, counts, q)
        if is_deviation:
            distance = np.abs(ordered - out[chunk][..., None])
            distance[np.arange(ordered.shape[-1]) >= counts[..., None]] = np.inf
            distance.sort(axis=-1)
            undefined = np.isnan(ordered).any(axis=-1)
            out[chunk] = np.where(undefined, np.nan, sorted_quantiles(distance, counts, q))
    return out, windows.counts > 0


def quantile_over_time(windows: Windows, q: Float64Array) -> Computed:
    """Compute the ``q`` quantile (float64[steps]) of each window."""
    return in_pieces(windows, lambda piece, steps: _ordered(piece, q[steps], is_deviation=False))


def _median_deviation(windows: Windows) -> Computed:
    half = np.full(windows.low.shape[1], 0.5)
    return in_pieces(windows, lambda piece, steps: _ordered(piece, half[steps], is_deviation=True))


_EVERY_SAMPLE: dict[str, Kernel] = {
    "avg_over_time": _average,
    "max_over_time": _maximum,
    "min_over_time": _minimum,
    "stddev_over_time": _deviation,
    "stdvar_over_time": _variance,
    "sum_over_time": _sum,
    "ts_of_max_over_time": partial(_time_of_extreme, extreme=_maximum),
    "ts_of_min_over_time": partial(_time_of_extreme, extreme=_minimum),
}
OVER_TIME_KERNELS: dict[str, Kernel] = {
    "count_over_time": _count,
    "first_over_time": _first,
    "last_over_time": _last,
    "mad_over_time": _median_deviation,
    "present_over_time": _present,
    "ts_of_first_over_time": _time_of_first,
    "ts_of_last_over_time": _time_of_last,
    **{name: partial(_piecewise, kernel) for name, kernel in _EVERY_SAMPLE.items()},
}
