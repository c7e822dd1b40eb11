"""Values during evaluation: columnar, one column per step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.promql.errors import EvaluationError
from detectviz.promql.labels import METADATA, LabelKey, Labels, label_key, without_name
from detectviz.promql.windows import RangeSamples
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import Float64Array, HistogramArray, Int64Array

BoolArray: TypeAlias = npt.NDArray[np.bool_]

DUPLICATES = "vector cannot contain metrics with the same labelset"


@dataclass(frozen=True, slots=True)
class StepScalar:
    """One number per step: float64[steps]."""

    values: Float64Array


@dataclass(frozen=True, slots=True)
class StepString:
    """A string; the same at every step."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepVector:
    """An instant vector at every step.

    ``values`` is float64[series, steps], ``present`` bool of the same shape; values where absent
    mean nothing. ``drop_name`` bool[series] marks series that lose their metric name at the end
    of the query (Prometheus' delayed name removal). ``histograms``, if any sample may be one, is
    of the same shape and holds it, or None for a float; a histogram's value is NaN.
    """

    labels: tuple[Labels, ...]
    values: Float64Array
    present: BoolArray
    drop_name: BoolArray
    histograms: HistogramArray | None = None

    def __len__(self) -> int:
        """Count the series."""
        return len(self.labels)

    @property
    def steps(self) -> int:
        """Count the steps."""
        return int(self.values.shape[1])

    def take(self, rows: Int64Array | BoolArray | Sequence[int]) -> "StepVector":
        """Return these series only, in this order."""
        index = np.asarray(rows)
        if index.dtype == np.bool_:
            index = np.flatnonzero(index)
        index = index.astype(np.int64)
        return StepVector(
            labels=tuple(self.labels[row] for row in index.tolist()),
            values=self.values[index],
            present=self.present[index],
            drop_name=self.drop_name[index],
            histograms=None if self.histograms is None else self.histograms[index],
        )

    @property
    def is_histogram(self) -> BoolArray:
        """Tell which samples are histograms: bool[series, steps]."""
        return are_histograms(self.histograms, self.present)

    @property
    def has_histograms(self) -> bool:
        """Tell whether any sample is a histogram."""
        return self.histograms is not None and bool(self.is_histogram.any())

    def floats(self) -> "StepVector":
        """Return the same series with their float samples only."""
        if self.histograms is None:
            return self
        return replace(self, present=self.present & ~self.is_histogram, histograms=None)

    def derived(
        self,
        values: Float64Array,
        present: BoolArray | None = None,
        histograms: HistogramArray | None = None,
    ) -> "StepVector":
        """Return the same series with computed samples; their names are to be dropped."""
        kept = self.present if present is None else present
        dropped = np.ones(len(self), dtype=np.bool_)
        return replace(self, values=values, present=kept, drop_name=dropped, histograms=histograms)

    def filtered(self, keep: BoolArray) -> "StepVector":
        """Return the same samples where ``keep`` holds."""
        return replace(self, present=self.present & keep)

    @property
    def used(self) -> BoolArray:
        """Tell which series have a sample at any step."""
        return np.asarray(self.present.any(axis=1), dtype=np.bool_)

    def trimmed(self) -> "StepVector":
        """Return the series that have a sample at any step."""
        used = self.used
        return self if used.all() else self.take(used)

    def merged(self) -> "StepVector":
        """Join series of equal labels; EvaluationError if two have a sample at one step."""
        groups: dict[LabelKey, list[int]] = {}
        for row, labels in enumerate(self.labels):
            groups.setdefault(label_key(labels), []).append(row)
        if len(groups) == len(self):
            return self
        return _joined(self, list(groups.values()))

    def with_final_labels(self) -> "StepVector":
        """Drop the names that are to be dropped and join what is the same then."""
        if not self.drop_name.any():
            return self.merged()
        labels = tuple(
            without_name(labels) if dropped and not METADATA.isdisjoint(labels) else labels
            for labels, dropped in zip(self.labels, self.drop_name.tolist(), strict=True)
        )
        return replace(self, labels=labels).merged()


def _joined(vector: StepVector, groups: list[list[int]]) -> StepVector:
    first = vector.take([rows[0] for rows in groups])
    values, present = first.values.copy(), first.present.copy()
    dropped = first.drop_name.copy()
    histograms = None if first.histograms is None else first.histograms.copy()
    for index, rows in enumerate(groups):
        for row in rows[1:]:
            extra = vector.present[row]
            if (present[index] & extra).any():
                raise EvaluationError(DUPLICATES)
            values[index] = np.where(extra, vector.values[row], values[index])
            present[index] |= extra
            dropped[index] |= vector.drop_name[row]
            if histograms is not None and vector.histograms is not None:
                histograms[index] = np.where(extra, vector.histograms[row], histograms[index])
    return StepVector(
        labels=first.labels,
        values=values,
        present=present,
        drop_name=dropped,
        histograms=histograms,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeVector:
    """Labels beside the raw samples that windows are cut from."""

    labels: tuple[Labels, ...]
    drop_name: BoolArray
    samples: RangeSamples


Value: TypeAlias = StepScalar | StepString | StepVector | RangeVector


def empty_vector(steps: int) -> StepVector:
    """Return a vector of no series."""
    return StepVector(
        labels=(),
        values=np.empty((0, steps)),
        present=np.empty((0, steps), dtype=np.bool_),
        drop_name=np.empty(0, dtype=np.bool_),
    )


def single_series(labels: Labels, values: Float64Array, present: BoolArray) -> StepVector:
    """Return a vector of one series from float64[steps] and bool[steps]."""
    return StepVector(
        labels=(labels,),
        values=values.reshape(1, -1),
        present=present.reshape(1, -1),
        drop_name=np.zeros(1, dtype=np.bool_),
    )


def concatenated(first: StepVector, second: StepVector) -> StepVector:
    """Return the series of both, the first's first."""
    return StepVector(
        labels=first.labels + second.labels,
        values=np.concatenate((first.values, second.values)),
        present=np.concatenate((first.present, second.present)),
        drop_name=np.concatenate((first.drop_name, second.drop_name)),
        histograms=_stacked(first, second),
    )


def _stacked(first: StepVector, second: StepVector) -> HistogramArray | None:
    if first.histograms is None and second.histograms is None:
        return None
    parts = [
        no_histograms(one.values.shape) if one.histograms is None else one.histograms
        for one in (first, second)
    ]
    return np.concatenate(parts)


def no_histograms(shape: tuple[int, ...]) -> HistogramArray:
    """Return an array to put histograms into."""
    return np.full(shape, None, dtype=np.object_)


def object_array(histograms: Sequence[Histogram | None]) -> HistogramArray:
    """Return an array of these histograms: one dimension."""
    array = no_histograms((len(histograms),))
    array[:] = histograms
    return array


def are_histograms(histograms: HistogramArray | None, present: BoolArray) -> BoolArray:
    """Tell which of the present samples are histograms."""
    if histograms is None:
        return np.zeros(present.shape, dtype=np.bool_)
    return histograms.astype(np.bool_) & present
