"""Trends of windows: linear regression and double exponential smoothing."""

import numpy as np

from detectviz.promql.errors import EvaluationError
from detectviz.promql.over_time import FlatWindows, flatten
from detectviz.promql.windows import Computed, Windows, in_pieces
from detectviz.tsdb.interface import Float64Array

_MS_PER_S = 1000.0
_LEAST_SAMPLES = 2
_CHECK_EVERY = 64


def _line(windows: Windows, flat: FlatWindows) -> tuple[Float64Array, Float64Array]:
    """Return slope per second and intercept at the time of evaluation, per window.

    Sums are taken about the means and about the first value, so a constant series has slope
    zero; a constant infinity has none (NaN).
    """
    steps = np.nonzero(flat.cells)[1]
    looked_at = np.repeat(windows.times_ms[steps], flat.lengths)
    seconds = (windows.timestamps_ms[flat.index] - looked_at) / _MS_PER_S
    base = windows.values[windows.low[flat.cells]]
    values = windows.values[flat.index] - flat.spread(base)
    mean_x, mean_y = flat.sums(seconds) / flat.lengths, flat.sums(values) / flat.lengths
    from_x = seconds - flat.spread(mean_x)
    covariance = flat.sums(from_x * (values - flat.spread(mean_y)))
    slope = covariance / flat.sums(from_x * from_x)
    return slope, base + mean_y - slope * mean_x


def deriv(windows: Windows) -> Computed:
    """Compute the slope per second by least squares."""
    return in_pieces(windows, lambda piece, _: _slopes(piece))


def _slopes(windows: Windows) -> Computed:
    flat = flatten(windows, _LEAST_SAMPLES)
    if flat is None:
        return np.full(windows.low.shape, np.nan), windows.counts >= _LEAST_SAMPLES
    slope, _ = _line(windows, flat)
    return flat.filled(slope), flat.cells


def predict_linear(windows: Windows, ahead_s: Float64Array) -> Computed:
    """Compute the value expected ``ahead_s`` (float64[steps]) after the time of evaluation."""
    return in_pieces(windows, lambda piece, steps: _expected(piece, ahead_s[steps]))


def _expected(windows: Windows, ahead_s: Float64Array) -> Computed:
    flat = flatten(windows, _LEAST_SAMPLES)
    if flat is None:
        return np.full(windows.low.shape, np.nan), windows.counts >= _LEAST_SAMPLES
    slope, intercept = _line(windows, flat)
    steps = np.nonzero(flat.cells)[1]
    return flat.filled(intercept + slope * ahead_s[steps]), flat.cells


def smooth(windows: Windows, smoothing: Float64Array, trend: Float64Array) -> Computed:
    """Compute Holt's double exponential smoothing; both factors float64[steps] in (0, 1)."""
    _check_factor("smoothing", smoothing)
    _check_factor("trend", trend)
    present = windows.counts >= _LEAST_SAMPLES
    final = len(windows.values) - 1
    level = previous = windows.values[windows.first]
    second = windows.values[np.minimum(windows.low + 1, final)]
    slope = second - level
    for place in range(1, int(windows.counts.max(initial=0))):
        if place % _CHECK_EVERY == 0:
            windows.check()
        value = windows.values[np.minimum(windows.low + place, final)]
        inside = place < windows.counts
        if place > 1:
            newer = trend * (level - previous) + (1 - trend) * slope
            slope = np.where(inside, newer, slope)
        smoothed = smoothing * value + (1 - smoothing) * (level + slope)
        previous = level
        level = np.where(inside, smoothed, level)
    return level, present


def _check_factor(name: str, factor: Float64Array) -> None:
    bad = factor[(factor <= 0) | (factor >= 1) | np.isnan(factor)]
    if len(bad):
        short = {"smoothing": "sf", "trend": "tf"}[name]
        raise EvaluationError(
            f"invalid {name} factor. Expected: 0 < {short} < 1, got: {float(bad[0]):f}"
        )
