"""The one interface every time-series store answers."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.histograms import Histogram

METRIC_NAME = "__name__"
STALE_NAN_BITS = 0x7FF0000000000002
STALE_NAN: float = float(np.array([STALE_NAN_BITS], dtype=np.uint64).view(np.float64)[0])

Int64Array = npt.NDArray[np.int64]
Float64Array = npt.NDArray[np.float64]
HistogramArray: TypeAlias = npt.NDArray[np.object_]  # a Histogram, or None for a float sample


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
    """One value of one series. ``labels`` includes ``__name__``; time is Unix milliseconds.

    A sample with a ``histogram`` has no ``value`` (it is ignored). ``start_ms`` is since when a
    counter has been counting (its created or start timestamp), 0 when the sender did not say.
    """

    labels: Mapping[str, str]
    timestamp_ms: int
    value: float = 0.0
    histogram: Histogram | None = None
    start_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleColumns:
    """Samples to append, columnar: what the doors make of a request.

    ``series`` are the distinct series named, as tokens that ``labels_of`` turns into labels (with
    ``__name__``); of one ``labels_of``, equal tokens always mean equal labels, so a store may
    remember which series a token is. ``owners[i]`` is the place of sample ``i``'s token in
    ``series``; the other columns are parallel to it. ``histograms`` and ``start_times_ms`` are
    None when no sample has any.

    ``labels_of`` raises ValueError, saying what is wrong, for a token that is no valid label set.
    """

    series: Sequence[Hashable]
    labels_of: Callable[[Hashable], Mapping[str, str]]
    owners: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    histograms: HistogramArray | None = None
    start_times_ms: Int64Array | None = None

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.owners)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectHints:
    """What samples are wanted for, so that a store may answer with coarser ones.

    ``step_ms`` is the distance of the moments of evaluation (0 for a single one), ``window_ms``
    how far each looks back (the range, or the lookback of an instant selector), ``function`` the
    PromQL function the samples go straight into; empty for an instant selector.

    ``watch`` may be told, as often as a store likes, how many series match and how many of their
    samples have been read so far; what it raises ends the selection.
    """

    step_ms: int = 0
    window_ms: int = 0
    function: str = ""
    watch: Callable[[int, int], None] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SeriesSet:
    """Samples of the selected series, columnar.

    Series ``i`` owns ``timestamps_ms[offsets[i]:offsets[i + 1]]`` (ascending, unique) and the
    same slice of ``values``. ``labels[i]`` includes ``__name__``. Series are ordered by labels.
    Stale markers are kept: they are NaNs with the bits ``STALE_NAN_BITS``. ``histograms``, if any
    sample is one, holds it at the sample's place, where ``values`` is an ordinary NaN;
    ``start_times_ms``, if any sample has one, is 0 where it has none.

    ``resolution_ms`` is 0 for raw samples. Else one sample stands for that stretch of time before
    it at least in some places, so an instant selector must look back that far; this happens only
    where ``SelectHints`` allowed it.
    """

    labels: tuple[Mapping[str, str], ...]
    offsets: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    histograms: HistogramArray | None = None
    start_times_ms: Int64Array | None = None
    resolution_ms: int = 0

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


@dataclass(frozen=True, slots=True)
class ColumnsReport:
    """What became of one append of columns: reasons by place of the sample.

    ``refused`` are samples that no store would take as they are; ``limited`` those that a limit
    of the tenant kept out, such as new series beyond its maximum. A sample is in one of them at
    most, and counted in ``stored`` when it is in neither.
    """

    stored: int
    refused: Mapping[int, str] = field(default_factory=dict)
    limited: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cardinality:
    """What makes a tenant's series many: the statistics of Prometheus' ``status/tsdb``.

    The tuples hold the largest first, equals by name. ``label_bytes`` are the lengths of a
    label's values times the series that carry them. Times are Unix milliseconds, None when there
    are no samples or the store does not say. ``active`` are those of the series that a limit on
    series counts, None when the store does not say.
    """

    series: int = 0
    active: int | None = None
    label_pairs: int = 0
    series_by_metric: tuple[tuple[str, int], ...] = ()
    values_by_label: tuple[tuple[str, int], ...] = ()
    bytes_by_label: tuple[tuple[str, int], ...] = ()
    series_by_pair: tuple[tuple[str, int], ...] = ()
    oldest_ms: int | None = None
    newest_ms: int | None = None


class StoreError(Exception):
    """The store could not answer; ``retryable`` says whether waiting could help."""

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class RateLimitedError(StoreError):
    """The tenant sends more samples per second than it may; nothing of the request was stored."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, retryable=True)
        self.retry_after_s = retry_after_s


class SeriesStore(Protocol):
    """A tenant-aware store of samples. Every call names its tenant (an org's uid)."""

    def append(self, tenant: str, samples: Sequence[Sample]) -> AppendReport:
        """Store samples; when this returns they survive kill -9.

        A sample with the timestamp and value of a stored one is accepted silently; with another
        value it is rejected (``duplicate sample for timestamp``). ``rejected`` also names what a
        limit kept out.

        Raises:
            StoreError: nothing was stored; RateLimitedError when waiting would help.

        """

    def append_columns(self, tenant: str, columns: SampleColumns) -> ColumnsReport:
        """Store samples given as columns: ``append`` for callers that have many.

        Raises:
            StoreError: nothing was stored; RateLimitedError when waiting would help.

        """

    def select(
        self,
        tenant: str,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        hints: SelectHints | None = None,
    ) -> SeriesSet:
        """Return samples with ``start_ms <= t <= end_ms`` of all matching series.

        Without ``hints`` they are raw; with them a store may answer with rollups.
        """

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

    def delete(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> int:
        """Delete samples with ``start_ms <= t <= end_ms``; return how many series lost some.

        When this returns, no process sees them any more, and the range can be written again as
        far as the out-of-order window lets it. A series without samples is gone.
        """

    def cardinality(self, tenant: str, limit: int) -> Cardinality:
        """Return what the tenant's series are made of, ``limit`` entries per list."""

    def check(self) -> None:
        """Raise StoreError unless the store can read and write now."""

    def maintain(self, now_ms: int) -> None:
        """Compact and drop what is past retention; safe to call from several processes."""

    def close(self) -> None:
        """Flush and release; the store can't be used afterwards."""
