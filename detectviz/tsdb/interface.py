"""The one interface every time-series store answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

METRIC_NAME = "__name__"
STALE_NAN_BITS = 0x7FF0000000000002
STALE_NAN: float = float(np.array([STALE_NAN_BITS], dtype=np.uint64).view(np.float64)[0])

Int64Array = npt.NDArray[np.int64]
Float64Array = npt.NDArray[np.float64]


class MatchOp(StrEnum):
    """Label match operators, as Prometheus writes them."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label condition. A missing label equals the empty string; regexes are RE2, anchored."""

    name: str
    op: MatchOp
    value: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series. ``labels`` includes ``__name__``; time is Unix milliseconds."""

    labels: Mapping[str, str]
    timestamp_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class SeriesSet:
    """Raw samples of the selected series, columnar.

    Series ``i`` owns ``timestamps_ms[offsets[i]:offsets[i + 1]]`` (ascending, unique) and the
    same slice of ``values``. ``labels[i]`` includes ``__name__``. Series are ordered by labels.
    Stale markers are kept: they are NaNs with the bits ``STALE_NAN_BITS``.
    """

    labels: tuple[Mapping[str, str], ...]
    offsets: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array

    def __len__(self) -> int:
        """Count the series."""
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one sample was not stored, in Prometheus' words."""

    sample: Sample
    reason: str


@dataclass(frozen=True, slots=True)
class AppendReport:
    """What became of one append."""

    stored: int
    rejected: tuple[Rejection, ...] = field(default=())


class StoreError(Exception):
    """The store could not answer; ``retryable`` says whether waiting could help."""

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class SeriesStore(Protocol):
    """A tenant-aware store of float samples. Every call names its tenant (an org's uid)."""

    def append(self, tenant: str, samples: Sequence[Sample]) -> AppendReport:
        """Store samples; when this returns they survive kill -9.

        A sample with the timestamp and value of a stored one is accepted silently; with another
        value it is rejected (``duplicate sample for timestamp``).
        """

    def select(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> SeriesSet:
        """Return raw samples with ``start_ms <= t <= end_ms`` of all matching series."""

    def series(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Return the label sets of matching series that have samples in the range."""

    def label_names(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted label names of matching series; no matchers means all."""

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted values of one label over matching series."""

    def check(self) -> None:
        """Raise StoreError unless the store can read and write now."""

    def maintain(self, now_ms: int) -> None:
        """Compact and drop what is past retention; safe to call from several processes."""

    def close(self) -> None:
        """Flush and release; the store can't be used afterwards."""
