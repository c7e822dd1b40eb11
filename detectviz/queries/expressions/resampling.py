"""Resample: series on a regular grid.

Semantics: ``pkg/expr/mathexp/resample.go`` of Grafana. The grid starts at the range's start; a
point takes the values after the one before it, up to and with its own time.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from detectviz.contracts.datasource import TimeRange
from detectviz.queries.errors import ExpressionError
from detectviz.queries.expressions.reducing import REDUCERS
from detectviz.queries.expressions.values import Value, Values, array_of

Upsampler: TypeAlias = Literal["pad", "backfilling", "fillna"]
MOST_POINTS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """``window_ms`` is the distance of the new points."""

    window_ms: int
    downsampler: str
    upsampler: Upsampler


def resample_values(values: Values, resampling: Resampling, span: TimeRange) -> Values:
    """Return series on the grid; no data stays; raise ExpressionError for numbers."""
    return tuple(_resampled(value, resampling, span) for value in values)


def _resampled(value: Value, resampling: Resampling, span: TimeRange) -> Value:
    if value.is_no_data:
        return value
    if not value.is_series:
        raise ExpressionError(f"can only resample series, got a {value.kind}")
    grid = _grid(resampling, span)
    # Point i takes what lies between ends[i - 1] and ends[i].
    ends = np.searchsorted(value.times, grid, side="right")
    starts = np.concatenate(([0], ends[:-1]))
    reducer = REDUCERS[resampling.downsampler]
    points: list[float | None] = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if start == end:
            points.append(_upsampled(value, resampling.upsampler, end))
        else:
            points.append(reducer(value.floats[start:end], value.nulls[start:end]))
    floats, nulls = array_of(points)
    return replace(value, times=grid, floats=floats, nulls=nulls, notices=())


def _grid(resampling: Resampling, span: TimeRange) -> np.ndarray:
    steps = (span.end_ms - span.start_ms) // resampling.window_ms
    if steps <= 0:
        raise ExpressionError(
            "the series cannot be resampled: the time range is shorter than the window"
        )
    if steps > MOST_POINTS:
        raise ExpressionError(f"the window is too small: more than {MOST_POINTS:,} points")
    return span.start_ms + np.arange(steps + 1, dtype=np.int64) * resampling.window_ms


def _upsampled(value: Value, upsampler: Upsampler, place: int) -> float | None:
    if upsampler == "pad" and place > 0:
        place -= 1
    elif upsampler != "backfilling" or place >= len(value.floats):
        return None
    return None if value.nulls[place] else float(value.floats[place])
