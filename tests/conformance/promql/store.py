"""A series store in memory, for scripts and tests of the evaluator."""

from collections.abc import Mapping, Sequence

import numpy as np

from detectviz.promql.patterns import matches
from detectviz.tsdb.interface import AppendReport, Matcher, Sample, SeriesSet


class MemoryStore:
    """Holds samples in dictionaries, per tenant."""

    def __init__(self) -> None:
        self.data: dict[str, dict[tuple[tuple[str, str], ...], dict[int, float]]] = {}
        self.selected: list[tuple[str, tuple[Matcher, ...], int, int]] = []

    def add(self, tenant: str, labels: Mapping[str, str], at_ms: int, value: float) -> None:
        key = tuple(sorted(labels.items()))
        self.data.setdefault(tenant, {}).setdefault(key, {})[at_ms] = value

    def append(self, tenant: str, samples: Sequence[Sample]) -> AppendReport:
        for sample in samples:
            self.add(tenant, sample.labels, sample.timestamp_ms, sample.value)
        return AppendReport(len(samples))

    def select(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> SeriesSet:
        self.selected.append((tenant, tuple(matchers), start_ms, end_ms))
        labels: list[Mapping[str, str]] = []
        offsets, times, values = [0], [], []
        for key, samples in sorted(self.data.get(tenant, {}).items()):
            one = dict(key)
            if not all(matches(matcher, one.get(matcher.name, "")) for matcher in matchers):
                continue
            inside = [at for at in sorted(samples) if start_ms <= at <= end_ms]
            if inside:
                labels.append(one)
                times += inside
                values += [samples[at] for at in inside]
                offsets.append(len(times))
        return SeriesSet(
            labels=tuple(labels),
            offsets=np.array(offsets, dtype=np.int64),
            timestamps_ms=np.array(times, dtype=np.int64),
            values=np.array(values, dtype=np.float64),
        )

    def series(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        return self.select(tenant, matchers, start_ms, end_ms).labels

    def label_names(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        found = self.series(tenant, matchers, start_ms, end_ms)
        return tuple(sorted({name for labels in found for name in labels}))

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        found = self.series(tenant, matchers, start_ms, end_ms)
        return tuple(sorted({labels[name] for labels in found if name in labels}))

    def check(self) -> None:
        """Be well."""

    def maintain(self, now_ms: int) -> None:
        """Keep everything."""

    def close(self) -> None:
        """Have nothing to release."""
