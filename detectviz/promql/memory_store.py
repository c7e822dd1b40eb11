"""A series store in memory: for rule tests and for tests of the evaluator."""

from collections.abc import Mapping, Sequence

import numpy as np

from detectviz.promql.patterns import matches
from detectviz.tsdb.interface import METRIC_NAME, AppendReport, Matcher, MatchOp, Sample, SeriesSet

_Key = tuple[tuple[str, str], ...]
_Metric = dict[_Key, dict[int, float]]


class MemoryStore:
    """Keeps samples in dictionaries, per tenant and metric."""

    def __init__(self) -> None:
        self._tenants: dict[str, dict[str, _Metric]] = {}

    def append(self, tenant: str, samples: Sequence[Sample]) -> AppendReport:
        """Store samples; the last value of a timestamp stays, as in promtool's tests."""
        metrics = self._tenants.setdefault(tenant, {})
        for sample in samples:
            metric = metrics.setdefault(sample.labels.get(METRIC_NAME, ""), {})
            series = metric.setdefault(tuple(sorted(sample.labels.items())), {})
            series[sample.timestamp_ms] = sample.value
        return AppendReport(stored=len(samples))

    def select(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> SeriesSet:
        """Return raw samples of matching series."""
        labels: list[Mapping[str, str]] = []
        offsets, times, values = [0], list[int](), list[float]()
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
                values += [samples[at] for at in inside]
                offsets.append(len(times))
        return SeriesSet(
            labels=tuple(labels),
            offsets=np.array(offsets, dtype=np.int64),
            timestamps_ms=np.array(times, dtype=np.int64),
            values=np.array(values, dtype=np.float64),
        )

    def _candidates(
        self, tenant: str, matchers: Sequence[Matcher]
    ) -> list[tuple[_Key, dict[int, float]]]:
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

    def check(self) -> None:
        """Memory is always well."""

    def maintain(self, now_ms: int) -> None:
        """Keep everything: a test is short."""

    def close(self) -> None:
        """Release nothing: the store goes with its test."""


def _all_match(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    return all(matches(matcher, labels.get(matcher.name, "")) for matcher in matchers)


def _by_labels(item: tuple[_Key, dict[int, float]]) -> _Key:
    return item[0]
