"""A series store in memory: for rule tests and for tests of the evaluator."""

from collections.abc import Mapping, Sequence

import numpy as np

from detectviz.promql.patterns import matches
from detectviz.tsdb.cardinality import cardinality_of, label_counts
from detectviz.tsdb.columns import append_report, columns_of
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import (
    METRIC_NAME,
    AppendReport,
    Cardinality,
    ColumnsReport,
    HistogramArray,
    Int64Array,
    Matcher,
    MatchOp,
    Sample,
    SampleColumns,
    SelectHints,
    SeriesSet,
)

_Key = tuple[tuple[str, str], ...]
_Point = tuple[float, Histogram | None, int]  # value, histogram, since when it counts
_Series = dict[int, _Point]
_Metric = dict[_Key, _Series]


class MemoryStore:
    """Keeps samples in dictionaries, per tenant and metric."""

    def __init__(self) -> None:
        self._tenants: dict[str, dict[str, _Metric]] = {}

    def append(self, tenant: str, samples: Sequence[Sample]) -> AppendReport:
        """Store samples; the last value of a timestamp stays, as in promtool's tests."""
        return append_report(samples, self.append_columns(tenant, columns_of(samples)))

    def append_columns(self, tenant: str, columns: SampleColumns) -> ColumnsReport:
        """Store columns; the last value of a timestamp stays."""
        size = len(columns)
        owned = [self._series(tenant, columns.labels_of(token)) for token in columns.series]
        histograms = [None] * size if columns.histograms is None else columns.histograms.tolist()
        starts = [0] * size if columns.start_times_ms is None else columns.start_times_ms.tolist()
        points = zip(columns.values.tolist(), histograms, starts, strict=True)
        for owner, at, point in zip(
            columns.owners.tolist(), columns.timestamps_ms.tolist(), points, strict=True
        ):
            owned[owner][at] = point
        return ColumnsReport(stored=size)

    def _series(self, tenant: str, labels: Mapping[str, str]) -> _Series:
        metric = self._tenants.setdefault(tenant, {}).setdefault(labels.get(METRIC_NAME, ""), {})
        return metric.setdefault(tuple(sorted(labels.items())), {})

    def select(
        self,
        tenant: str,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        hints: SelectHints | None = None,
    ) -> SeriesSet:
        """Return raw samples of matching series."""
        labels: list[Mapping[str, str]] = []
        offsets, times, points = [0], list[int](), list[_Point]()
        found = [
            item
            for item in self._candidates(tenant, matchers)
            if _all_match(matchers, dict(item[0]))
        ]
        for key, samples in sorted(found, key=_by_labels):
            inside = [at for at in sorted(samples) if start_ms <= at <= end_ms]
            if inside:
                labels.append(dict(key))
                times += inside
                points += [samples[at] for at in inside]
                offsets.append(len(times))
        return SeriesSet(
            labels=tuple(labels),
            offsets=np.array(offsets, dtype=np.int64),
            timestamps_ms=np.array(times, dtype=np.int64),
            values=np.array(
                [np.nan if histogram else value for value, histogram, _ in points], np.float64
            ),
            histograms=_histograms(points),
            start_times_ms=_start_times(points),
        )

    def _candidates(self, tenant: str, matchers: Sequence[Matcher]) -> list[tuple[_Key, _Series]]:
        metrics = self._tenants.get(tenant, {})
        for matcher in matchers:
            if matcher.name == METRIC_NAME and matcher.op is MatchOp.EQUAL:
                return list(metrics.get(matcher.value, {}).items())
        return [item for metric in metrics.values() for item in metric.items()]

    def series(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Return the label sets of matching series."""
        return self.select(tenant, matchers, start_ms, end_ms).labels

    def label_names(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the label names of matching series."""
        found = self.series(tenant, matchers, start_ms, end_ms)
        return tuple(sorted({name for labels in found for name in labels}))

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the values of one label over matching series."""
        found = self.series(tenant, matchers, start_ms, end_ms)
        return tuple(sorted({labels[name] for labels in found if name in labels}))

    def delete(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> int:
        """Delete samples with ``start_ms <= t <= end_ms``; return how many series lost some."""
        touched = 0
        for metric in self._tenants.get(tenant, {}).values():
            for key in [key for key in metric if _all_match(matchers, dict(key))]:
                kept = {at: one for at, one in metric[key].items() if not start_ms <= at <= end_ms}
                touched += len(kept) < len(metric[key])
                metric[key] = kept
                if not kept:
                    del metric[key]
        return touched

    def cardinality(self, tenant: str, limit: int) -> Cardinality:
        """Return what the tenant's series are made of, ``limit`` entries per list."""
        metrics = self._tenants.get(tenant, {})
        found = [dict(key) for metric in metrics.values() for key in metric]
        times = [at for metric in metrics.values() for one in metric.values() for at in one]
        return cardinality_of(
            label_counts(found),
            series=len(found),
            limit=limit,
            oldest_ms=min(times, default=None),
            newest_ms=max(times, default=None),
        )

    def check(self) -> None:
        """Memory is always well."""

    def maintain(self, now_ms: int) -> None:
        """Keep everything: a test is short."""

    def close(self) -> None:
        """Release nothing: the store goes with its test."""


def _histograms(points: list[_Point]) -> HistogramArray | None:
    if all(histogram is None for _, histogram, _ in points):
        return None
    histograms = np.empty(len(points), np.object_)
    histograms[:] = [histogram for _, histogram, _ in points]
    return histograms


def _start_times(points: list[_Point]) -> Int64Array | None:
    starts = np.array([start_ms for _, _, start_ms in points], np.int64)
    return starts if starts.any() else None


def _all_match(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    return all(matches(matcher, labels.get(matcher.name, "")) for matcher in matchers)


def _by_labels(item: tuple[_Key, _Series]) -> _Key:
    return item[0]
