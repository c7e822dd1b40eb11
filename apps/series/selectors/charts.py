"""Samples for charts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from apps.series.selectors.store import series_store
from detectviz.clock import to_ms
from detectviz.tsdb.interface import METRIC_NAME, Matcher, MatchOp

LARGEST_CHART_POINTS = 2000


class Tenant(Protocol):
    """An org, as far as series are concerned."""

    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartSeries:
    """One line of a chart: times in Unix milliseconds, a gap is None."""

    labels: Mapping[str, str]
    timestamps_ms: list[int]
    values: list[float | None]


def chart_series(
    org: Tenant,
    *,
    metric: str,
    equal: Mapping[str, str],
    start: datetime,
    end: datetime,
    points: int = 500,
) -> tuple[ChartSeries, ...]:
    """Return the series of ``metric`` whose labels equal ``equal``, at most ``points`` each.

    A longer series is cut into equal spans of time and each span shown by its mean (NaN and stale
    markers make gaps). Series are ordered by labels. Raise StoreError when the store can't answer.
    """
    points = max(1, min(points, LARGEST_CHART_POINTS))
    matchers = [Matcher(METRIC_NAME, MatchOp.EQUAL, metric)]
    matchers += [Matcher(name, MatchOp.EQUAL, value) for name, value in equal.items()]
    start_ms, end_ms = to_ms(start), to_ms(end)
    found = series_store().select(org.uid, matchers, start_ms, end_ms)
    lines = []
    for index, labels in enumerate(found.labels):
        span = slice(int(found.offsets[index]), int(found.offsets[index + 1]))
        times, values = found.timestamps_ms[span], found.values[span]
        if len(times) > points:
            times, values = _thin(times, values, start_ms, end_ms, points)
        lines.append(
            ChartSeries(labels=labels, timestamps_ms=times.tolist(), values=_with_gaps(values))
        )
    return tuple(lines)


def _thin(
    times: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    start_ms: int,
    end_ms: int,
    points: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    width = max(1, -(-(end_ms - start_ms + 1) // points))
    spans = (times - start_ms) // width
    first = np.flatnonzero(np.concatenate(([True], spans[1:] != spans[:-1])))
    is_number = ~np.isnan(values)
    counts = np.add.reduceat(is_number, first, dtype=np.float64)
    sums = np.add.reduceat(np.where(is_number, values, 0.0), first)
    means = np.divide(sums, counts, out=np.full(len(first), np.nan), where=counts > 0)
    return times[first], means


def _with_gaps(values: npt.NDArray[np.float64]) -> list[float | None]:
    finite = np.isfinite(values)
    return [
        value if is_finite else None
        for value, is_finite in zip(values.tolist(), finite.tolist(), strict=True)
    ]
