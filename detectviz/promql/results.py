"""What a query answers."""

from dataclasses import dataclass, field
from typing import TypeAlias

from detectviz.promql.annotations import Annotation, Severity
from detectviz.promql.labels import Labels
from detectviz.promql.vectors import BoolArray
from detectviz.tsdb.interface import Float64Array, HistogramArray, Int64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One number at one time."""

    timestamp_ms: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class String:
    """One string at one time."""

    timestamp_ms: int
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """One sample per series at one time: ``values`` is float64[series].

    ``histograms``, if any sample may be one, is parallel to them; a histogram's value is NaN.
    """

    timestamp_ms: int
    labels: tuple[Labels, ...]
    values: Float64Array
    histograms: HistogramArray | None = None

    def __len__(self) -> int:
        """Count the series."""
        return len(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Values of series over time, ordered by labels.

    ``timestamps_ms`` is int64[steps]; ``values`` float64[series, steps] means something only
    where ``present`` (bool of the same shape) holds. ``histograms``, if any sample may be one,
    is of the same shape.
    """

    timestamps_ms: Int64Array
    labels: tuple[Labels, ...]
    values: Float64Array
    present: BoolArray
    histograms: HistogramArray | None = None

    def __len__(self) -> int:
        """Count the series."""
        return len(self.labels)


Answer: TypeAlias = Scalar | String | Vector | Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The answer, what is to be said about it, and how many samples it took."""

    value: Answer
    annotations: tuple[Annotation, ...] = field(default=())
    samples: int = 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings as Prometheus prints them."""
        return self._texts(Severity.WARNING)

    @property
    def infos(self) -> tuple[str, ...]:
        """The notes as Prometheus prints them."""
        return self._texts(Severity.INFO)

    def _texts(self, severity: Severity) -> tuple[str, ...]:
        return tuple(found.text for found in self.annotations if found.severity is severity)
