"""What a parser makes of one body."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from detectviz.tsdb.columns import labels_of_pairs
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import SampleColumns
from detectviz.tsdb.labels import LabelKey

MOST_EXAMPLES = 10  # refused items are counted all, but only the first are told in full


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFacts:
    """What a sender says about a metric family; ``type`` is Prometheus' word, or ``unknown``."""

    name: str
    type: str
    help: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedExemplar:
    """An exemplar of the series that ``series`` is a token of; 0 ms means no time was told."""

    series: Hashable
    labels: Mapping[str, str]
    value: float
    timestamp_ms: int = 0


@dataclass(slots=True)
class Refusals:
    """Items that could not become samples: how many, and the first of them in words."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, sentence: str, *, items: int = 1) -> None:
        """Count ``items`` refused for the reason that ``sentence`` gives."""
        self.count += items
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The samples of one body, what was said about them, and what could not be used."""

    columns: SampleColumns
    facts: Sequence[MetricFacts] = ()
    exemplars: Sequence[PushedExemplar] = ()
    refusals: Refusals = field(default_factory=Refusals)
    warnings: Sequence[str] = ()


class BatchBuilder:
    """Collects samples one by one for the doors whose bodies are not columns already."""

    def __init__(self) -> None:
        self.refusals = Refusals()
        self._series: dict[LabelKey, int] = {}
        self._owners: list[int] = []
        self._timestamps: list[int] = []
        self._values: list[float] = []
        self._histograms: dict[int, Histogram] = {}
        self._starts: dict[int, int] = {}
        self._facts: dict[str, MetricFacts] = {}
        self._exemplars: list[PushedExemplar] = []
        self._warnings: list[str] = []

    def add(
        self,
        series: LabelKey,
        timestamp_ms: int,
        value: float,
        *,
        histogram: Histogram | None = None,
        start_ms: int = 0,
    ) -> None:
        """Add one sample; ``series`` must have unique names, sorted."""
        place = len(self._owners)
        self._owners.append(self._series.setdefault(series, len(self._series)))
        self._timestamps.append(timestamp_ms)
        self._values.append(value)
        if histogram is not None:
            self._histograms[place] = histogram
        if start_ms:
            self._starts[place] = start_ms

    def tell(self, facts: MetricFacts) -> None:
        """Note what a metric is; the first word about a name counts."""
        self._facts.setdefault(facts.name, facts)

    def exemplify(self, exemplar: PushedExemplar) -> None:
        """Add an exemplar."""
        self._exemplars.append(exemplar)

    def warn(self, sentence: str) -> None:
        """Say what was taken otherwise than it was meant."""
        if len(self._warnings) < MOST_EXAMPLES:
            self._warnings.append(sentence)

    def build(self) -> Batch:
        """Return what was collected."""
        size = len(self._owners)
        histograms = None
        if self._histograms:
            histograms = np.full(size, None, dtype=np.object_)
            for place, histogram in self._histograms.items():
                histograms[place] = histogram
        starts = None
        if self._starts:
            starts = np.zeros(size, np.int64)
            starts[list(self._starts)] = list(self._starts.values())
        columns = SampleColumns(
            series=tuple(self._series),
            labels_of=labels_of_pairs,
            owners=np.array(self._owners, np.int64),
            timestamps_ms=np.array(self._timestamps, np.int64),
            values=np.array(self._values, np.float64),
            histograms=histograms,
            start_times_ms=starts,
        )
        return Batch(
            columns=columns,
            facts=tuple(self._facts.values()),
            exemplars=tuple(self._exemplars),
            refusals=self.refusals,
            warnings=tuple(self._warnings),
        )
