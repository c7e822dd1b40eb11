"""Columns put together from series messages, in the order of the request."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.ingest.batch import Batch, MetricFacts, PushedExemplar, Refusals
from detectviz.ingest.native_histograms import HistogramError, histogram_of
from detectviz.ingest.raw_labels import labels_of_raw
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import (
    STALE_NAN,
    Float64Array,
    HistogramArray,
    Int64Array,
    SampleColumns,
)

# (milliseconds, value, since when it counts or 0, histogram)
_Sample: TypeAlias = tuple[int, float, int, Histogram | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Singles:
    """Messages with one float sample each, parallel; a row where ``are`` is False has none."""

    tokens: list[bytes]
    are: npt.NDArray[np.bool_]
    timestamps_ms: Int64Array
    values: Float64Array
    starts_ms: Int64Array | None = None


class Columns:
    """Puts the samples of series messages together; a row is a message's place."""

    def __init__(self, singles: Singles) -> None:
        self._singles = singles
        self._tokens = singles.tokens
        self._walked: list[_Sample] = []
        self._owners: list[int] = []
        self.exemplars: list[PushedExemplar] = []
        self.refusals = Refusals()

    def walk(self, row: int) -> "SeriesWalk":
        """Return where to put what a walk through one message finds."""

        def end(token: bytes, samples: list[_Sample]) -> None:
            self._tokens[row] = token
            self._walked += samples
            self._owners += [row] * len(samples)

        return SeriesWalk(end, self.exemplars, self.refusals)

    def build(self, *, facts: Sequence[MetricFacts]) -> Batch:
        """Return everything, samples of one series in the order they came in."""
        singles = self._singles
        rows = np.flatnonzero(singles.are)
        if len(rows) == len(singles.are):
            samples = _Samples(rows, singles.timestamps_ms, singles.values, singles.starts_ms)
        else:
            starts = None if singles.starts_ms is None else singles.starts_ms[rows]
            samples = _Samples(rows, singles.timestamps_ms[rows], singles.values[rows], starts)
        if self._walked:
            samples = samples.merged(self._owners, self._walked)
        series, owners = _distinct(self._tokens, samples.rows)
        has_starts = samples.starts_ms is not None and samples.starts_ms.any()
        columns = SampleColumns(
            series=series,
            labels_of=labels_of_raw,
            owners=owners,
            timestamps_ms=samples.timestamps_ms,
            values=samples.values,
            histograms=samples.histograms,
            start_times_ms=samples.starts_ms if has_starts else None,
        )
        return Batch(columns=columns, facts=facts, exemplars=self.exemplars, refusals=self.refusals)


@dataclass(frozen=True, slots=True)
class _Samples:
    """Columns by row of the request."""

    rows: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    starts_ms: Int64Array | None
    histograms: HistogramArray | None = None

    def merged(self, owners: Sequence[int], walked: Sequence[_Sample]) -> "_Samples":
        """Return these and the walked ones, ordered by row."""
        rows = np.concatenate([self.rows, np.array(owners, np.int64)])
        order = np.argsort(rows, kind="stable")
        times, values, starts, histograms = zip(*walked, strict=True)
        all_starts = np.zeros(len(rows), np.int64)
        if self.starts_ms is not None:
            all_starts[: len(self.rows)] = self.starts_ms
        all_starts[len(self.rows) :] = starts
        all_histograms = None
        if any(histogram is not None for histogram in histograms):
            all_histograms = np.full(len(rows), None, dtype=np.object_)
            for place, histogram in enumerate(histograms, len(self.rows)):
                all_histograms[place] = histogram
            all_histograms = all_histograms[order]
        return _Samples(
            rows=rows[order],
            timestamps_ms=np.concatenate([self.timestamps_ms, np.array(times, np.int64)])[order],
            values=np.concatenate([self.values, np.array(values, np.float64)])[order],
            starts_ms=all_starts[order],
            histograms=all_histograms,
        )


class SeriesWalk:
    """What is found in one series message, until its labels are known."""

    def __init__(
        self,
        end: Callable[[bytes, list[_Sample]], None],
        exemplars: list[PushedExemplar],
        refusals: Refusals,
    ) -> None:
        self._end = end
        self._all_exemplars = exemplars
        self._refusals = refusals
        self._samples: list[_Sample] = []
        self._exemplars: list[tuple[Mapping[str, str], float, int]] = []
        self._wrong: list[str] = []

    def sample(self, timestamp_ms: int, value: float, start_ms: int) -> None:
        """Take a float sample."""
        self._samples.append((timestamp_ms, value, start_ms, None))

    def take(self, samples: Sequence[_Sample]) -> None:
        """Take samples that are read already."""
        self._samples += samples

    def histogram(self, data: bytes, start: int, end: int) -> None:
        """Take a native histogram, or note why it is none."""
        try:
            found = histogram_of(data, start, end)
        except HistogramError as error:
            self._wrong.append(str(error))
            return
        value = STALE_NAN if found.histogram is None else 0.0
        self._samples.append((found.timestamp_ms, value, found.start_ms, found.histogram))

    def exemplar(self, labels: Mapping[str, str], value: float, timestamp_ms: int) -> None:
        """Take an exemplar."""
        self._exemplars.append((labels, value, timestamp_ms))

    def begin_at(self, start_ms: int) -> None:
        """Say since when the series counts, for the samples that do not say it themselves."""
        self._samples = [
            (time, value, own or start_ms, histogram)
            for time, value, own, histogram in self._samples
        ]

    @property
    def is_empty(self) -> bool:
        """Whether no sample and no histogram was sent."""
        return not self._samples and not self._wrong

    def end(self, token: bytes) -> None:
        """Name the series."""
        for reason in self._wrong:
            self._refusals.add(f"{series_text(token)}: {reason}")
        self._end(token, self._samples)
        self._all_exemplars += [
            PushedExemplar(series=token, labels=labels, value=value, timestamp_ms=timestamp_ms)
            for labels, value, timestamp_ms in self._exemplars
        ]

    def refuse(self, reason: str) -> None:
        """Give the message up: what it holds can't be stored."""
        self._refusals.add(reason, items=max(1, len(self._samples) + len(self._wrong)))


def series_text(token: Hashable) -> str:
    """Return a series as PromQL writes it, as far as its labels can be read."""
    try:
        labels = dict(labels_of_raw(token))
    except ValueError:
        return "a series"
    name = labels.pop("__name__", "")
    inside = ", ".join(f"{key}={value!r}" for key, value in labels.items())
    return f"{name}{{{inside}}}"[:500]


def _distinct(tokens: list[bytes], rows: Int64Array) -> tuple[Sequence[bytes], Int64Array]:
    """Return the tokens once each, and per sample which."""
    once = dict.fromkeys(tokens)
    if len(once) == len(tokens) == len(rows):
        return tokens, rows
    once = dict.fromkeys(tokens[row] for row in rows.tolist())  # messages may hold no sample
    places = {token: place for place, token in enumerate(once)}
    owners = [places[tokens[row]] for row in rows.tolist()]
    return tuple(places), np.array(owners, np.int64)
