"""Many histograms of one layout as rows of numbers, so that numpy can work on them at once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import itemgetter
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.promql.histograms.buckets import Spans, bucket_indexes
from detectviz.promql.histograms.drafts import packed
from detectviz.tsdb.histograms import CounterReset, Histogram
from detectviz.tsdb.interface import Float64Array, Int64Array

HintArray: TypeAlias = npt.NDArray[np.int8]

_COUNT, _SUM, _ZERO = range(3)
_TOTALS = 3
_MOST_BUCKETS = 2_000
_REMEMBERED = 16_384
_HINTS = tuple(CounterReset)
_Pick: TypeAlias = Callable[[Sequence[float]], tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Histograms whose schema, zero threshold and custom bounds are equal.

    ``counts`` float64[histograms, columns] has the count, the sum and the zero count, then the
    negative buckets from index ``negative_first`` on (``negatives`` of them) and the positive
    ones from ``positive_first`` on. ``hints`` int8[histograms] are ``CounterReset`` numbers.
    """

    schema: int
    zero_threshold: float
    custom_values: tuple[float, ...]
    negative_first: int
    negatives: int
    positive_first: int
    counts: Float64Array
    hints: HintArray

    def __len__(self) -> int:
        """Count the histograms."""
        return len(self.counts)

    def with_rows(self, counts: Float64Array, hints: HintArray) -> "Block":
        """Return other histograms of the same layout."""
        return replace(self, counts=counts, hints=hints)

    def resets(self) -> npt.NDArray[np.bool_]:
        """Tell, for each histogram but the first, whether a counter restarted before it."""
        lower = self.counts[1:] < self.counts[:-1]
        lower[:, _SUM] = False
        hints = self.hints[1:]
        fell = np.asarray(lower.any(axis=1), dtype=np.bool_)
        fell[hints == CounterReset.NO] = False
        fell[hints == CounterReset.YES] = True
        return fell

    def histograms(self) -> list[Histogram]:
        """Return the rows as compact histograms."""
        buckets = self.counts[:, _TOTALS:]
        patterns = np.packbits(buckets != 0, axis=1)
        sides = (self.negative_first, self.negatives, self.positive_first)
        found: list[Histogram] = []
        rows = zip(patterns, self.counts.tolist(), self.hints.tolist(), strict=True)
        for pattern, row, hint in rows:
            layout = _layout(pattern.tobytes(), *sides)
            found.append(
                Histogram(
                    count=row[_COUNT],
                    sum=row[_SUM],
                    schema=self.schema,
                    zero_threshold=self.zero_threshold,
                    zero_count=row[_ZERO],
                    positive_spans=layout.positive_spans,
                    positive=layout.positive(row),
                    negative_spans=layout.negative_spans,
                    negative=layout.negative(row),
                    custom_values=self.custom_values,
                    counter_reset=_HINTS[hint],
                )
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Which buckets of a row hold anything."""

    positive_spans: Spans
    positive: _Pick
    negative_spans: Spans
    negative: _Pick


@lru_cache(maxsize=_REMEMBERED)
def _layout(pattern: bytes, negative_first: int, negatives: int, positive_first: int) -> _Layout:
    filled = np.unpackbits(np.frombuffer(pattern, dtype=np.uint8))
    places = np.flatnonzero(filled).tolist()
    negative = [one for one in places if one < negatives]
    positive = [one for one in places if one >= negatives]
    return _Layout(
        positive_spans=_spans(one - negatives + positive_first for one in positive),
        positive=_pick(one + _TOTALS for one in positive),
        negative_spans=_spans(one + negative_first for one in negative),
        negative=_pick(one + _TOTALS for one in negative),
    )


def _spans(indexes: Iterable[int]) -> Spans:
    return packed(dict.fromkeys(indexes, 1.0))[0]


def _pick(columns: Iterable[int]) -> _Pick:
    """Return what takes some columns out of a row."""
    wanted = tuple(columns)
    if not wanted:
        return lambda _: ()
    if len(wanted) == 1:
        return lambda row: (row[wanted[0]],)
    return itemgetter(*wanted)


def block_of(histograms: Sequence[Histogram]) -> Block | None:
    """Lay histograms (at least one) out as rows; None if their layouts differ too much."""
    first = histograms[0]
    layout = (first.schema, first.zero_threshold, first.custom_values)
    for one in histograms:
        if (one.schema, one.zero_threshold, one.custom_values) != layout:
            return None
    negative = _side((one.negative_spans, one.negative) for one in histograms)
    positive = _side((one.positive_spans, one.positive) for one in histograms)
    if negative.width + positive.width > _MOST_BUCKETS:
        return None
    counts = np.zeros((len(histograms), _TOTALS + negative.width + positive.width))
    counts[:, :_TOTALS] = [(one.count, one.sum, one.zero_count) for one in histograms]
    negative.fill(counts[:, _TOTALS : _TOTALS + negative.width])
    positive.fill(counts[:, _TOTALS + negative.width :])
    return Block(
        schema=first.schema,
        zero_threshold=first.zero_threshold,
        custom_values=first.custom_values,
        negative_first=negative.first,
        negatives=negative.width,
        positive_first=positive.first,
        counts=counts,
        hints=np.array([one.counter_reset for one in histograms], dtype=np.int8),
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """The positive or negative buckets: their spans, and which rows have those."""

    groups: dict[Spans, tuple[list[int], list[tuple[float, ...]]]]
    first: int
    width: int

    def fill(self, columns: Float64Array) -> None:
        for spans, (rows, values) in self.groups.items():
            indexes: Int64Array = np.array(bucket_indexes(spans), dtype=np.int64) - self.first
            columns[np.array(rows)[:, None], indexes] = np.array(values).reshape(len(rows), -1)


def _side(buckets: Iterable[tuple[Spans, tuple[float, ...]]]) -> _Side:
    groups: dict[Spans, tuple[list[int], list[tuple[float, ...]]]] = {}
    for row, (spans, values) in enumerate(buckets):
        if values:
            rows, held = groups.setdefault(spans, ([], []))
            rows.append(row)
            held.append(values)
    edges = [bucket_indexes(spans) for spans in groups]
    first = min((one[0] for one in edges), default=0)
    last = max((one[-1] for one in edges), default=first - 1)
    return _Side(groups, first, last - first + 1)
