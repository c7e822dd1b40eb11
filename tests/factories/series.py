"""A series store in memory, for tests that only look at what was appended."""

from collections.abc import Mapping, Sequence

from detectviz.tsdb.interface import (
    METRIC_NAME,
    AppendReport,
    ColumnsReport,
    Matcher,
    MatchOp,
    Sample,
    SampleColumns,
    StoreError,
)


class RecordingStore:
    """Remembers every sample by tenant; ``fail`` makes the next append raise StoreError."""

    def __init__(self) -> None:
        self.samples: dict[str, list[Sample]] = {}
        self.fail = False

    def append(self, tenant: str, samples: Sequence[Sample]) -> AppendReport:
        """Remember ``samples``."""
        if self.fail:
            self.fail = False
            raise StoreError("the disk is full")
        self.samples.setdefault(tenant, []).extend(samples)
        return AppendReport(stored=len(samples))

    def values(self, tenant: str, metric: str) -> list[float]:
        """Return the values appended for one metric, in order."""
        return [
            sample.value
            for sample in self.samples.get(tenant, [])
            if sample.labels[METRIC_NAME] == metric
        ]

    def series(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Return distinct label sets, honouring = and != only."""
        found: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
        for sample in self.samples.get(tenant, []):
            if all(
                (sample.labels.get(m.name, "") == m.value) is (m.op is MatchOp.EQUAL)
                for m in matchers
            ):
                found[tuple(sorted(sample.labels.items()))] = sample.labels
        return tuple(found.values())

    def close(self) -> None:
        """Hold nothing."""


class TakingStore:
    """A store that takes all columns it is given and remembers them."""

    def __init__(self) -> None:
        self.columns: list[SampleColumns] = []

    def append_columns(self, tenant: str, columns: SampleColumns) -> ColumnsReport:
        """Take everything."""
        self.columns.append(columns)
        return ColumnsReport(stored=len(columns))

    def close(self) -> None:
        """Hold nothing."""


class RefusingStore:
    """A store that raises ``error``, or says of the first sample that a limit keeps it out."""

    def __init__(self, error: StoreError | None = None) -> None:
        self._error = error

    def append_columns(self, tenant: str, columns: SampleColumns) -> ColumnsReport:
        """Take no sample."""
        if self._error:
            raise self._error
        return ColumnsReport(stored=len(columns) - 1, limited={0: "the org has its 5 series"})

    def close(self) -> None:
        """Hold nothing."""
