"""Classic histograms made native ones with custom buckets, as ``load_with_nhcb`` does."""

import math
from dataclasses import dataclass, field

from detectviz.promql.histograms.drafts import packed
from detectviz.tsdb.histograms import CUSTOM_BUCKETS_SCHEMA, Histogram
from detectviz.tsdb.interface import METRIC_NAME
from tests.conformance.promql.script import HistogramPoint, Point, SeriesLine


@dataclass(slots=True)
class _Classic:
    """What is known of one histogram at one time."""

    buckets: dict[float, float] = field(default_factory=dict)
    count: float | None = None
    sum: float = 0.0

    def converted(self) -> Histogram:
        bounds = sorted(self.buckets)
        count = self.count
        if count is None:
            count = self.buckets[bounds[-1]]
        cumulative = [self.buckets[bound] for bound in bounds]
        if not bounds or bounds[-1] != math.inf:
            bounds.append(math.inf)
            cumulative.append(count)
        counts = [now - before for now, before in zip(cumulative, [0.0, *cumulative], strict=False)]
        spans, kept = packed(dict(enumerate(counts)))
        return Histogram(
            count=count,
            sum=self.sum,
            schema=CUSTOM_BUCKETS_SCHEMA,
            positive_spans=spans,
            positive=kept,
            custom_values=tuple(bounds[:-1]),
        )


def native_series(lines: list[SeriesLine]) -> list[SeriesLine]:
    """Return the series of everything that can be converted."""
    found: dict[tuple[tuple[str, str], ...], dict[int, _Classic]] = {}
    for line in lines:
        name, _, kind = line.labels.get(METRIC_NAME, "").rpartition("_")
        bound = _bound(line.labels.get("le", ""))
        if kind not in {"bucket", "count", "sum"} or (kind == "bucket" and bound is None):
            continue
        labels = {key: value for key, value in line.labels.items() if key != "le"}
        series = found.setdefault(tuple(sorted({**labels, METRIC_NAME: name}.items())), {})
        for index, point in enumerate(line.points):
            if not isinstance(point, float):
                continue
            classic = series.setdefault(index, _Classic())
            if kind == "bucket" and bound is not None:
                classic.buckets[bound] = point
            elif kind == "count":
                classic.count = point
            else:
                classic.sum = point
    return [SeriesLine(dict(key), _points(series)) for key, series in found.items()]


def _points(series: dict[int, _Classic]) -> list[Point]:
    return [
        HistogramPoint(series[index].converted(), has_hint=False) if index in series else None
        for index in range(max(series) + 1)
    ]


def _bound(text: str) -> float | None:
    try:
        bound = float(text)
    except ValueError:
        return None
    return None if math.isnan(bound) else bound
