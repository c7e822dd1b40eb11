"""What a parser returns, and the one exception it raises."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Int64Array: TypeAlias = npt.NDArray[np.int64]
Float64Array: TypeAlias = npt.NDArray[np.float64]
HistogramArray: TypeAlias = npt.NDArray[np.object_]

NO_TIMESTAMP: Final = int(np.iinfo(np.int64).min)


class ExpositionError(ValueError):
    """A body that is not what it says it is. Line and column count from 1, 0 where unknown."""

    def __init__(self, reason: str, *, line: int = 0, column: int = 0) -> None:
        place = f"line {line}, column {column}: " if line else ""
        super().__init__(f"{place}{reason}")
        self.reason = reason
        self.line = line
        self.column = column


class MetricType(StrEnum):
    """Types as Prometheus' metadata API spells them (``untyped`` is read as ``unknown``)."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    GAUGE_HISTOGRAM = "gaugehistogram"
    SUMMARY = "summary"
    INFO = "info"
    STATESET = "stateset"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyMetadata:
    """What is said of one metric family."""

    type: MetricType = MetricType.UNKNOWN
    help: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar:
    """One exemplar; ``timestamp_ms`` is None where the target did not say."""

    labels: Mapping[str, str]
    value: float
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposition:
    """One body, columnar; fit to become ``SampleColumns``.

    ``series`` are distinct tokens for ``labels_of`` (``series.labels_of``); ``owners[i]`` is the
    place of sample ``i``'s token. ``timestamps_ms`` is None when no line has a timestamp, and
    ``NO_TIMESTAMP`` where one has none; ``start_times_ms`` (since when a counter counts) is None
    or 0 likewise; ``histograms`` None, or a Histogram or None per sample. ``exemplars`` are by
    place of their sample, ``metadata`` by family name.
    """

    series: tuple[bytes, ...]
    owners: Int64Array
    values: Float64Array
    timestamps_ms: Int64Array | None = None
    start_times_ms: Int64Array | None = None
    histograms: HistogramArray | None = None
    exemplars: Mapping[int, tuple[Exemplar, ...]] = field(default_factory=dict)
    metadata: Mapping[str, FamilyMetadata] = field(default_factory=dict)

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.owners)
