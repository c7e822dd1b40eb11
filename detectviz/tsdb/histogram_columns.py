"""Many native histograms as few arrays: how logs and blocks hold them.

Histograms of one series share schema, thresholds and spans nearly always. That is their layout;
what remains of each are numbers: count, sum, zero count and the buckets.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.histograms import CounterReset, Histogram
from detectviz.tsdb.interface import Float64Array, HistogramArray, Int64Array

UInt64Array: TypeAlias = npt.NDArray[np.uint64]
Spans: TypeAlias = tuple[tuple[int, int], ...]

SCALARS = 3  # count, sum and zero count come before the buckets

_LAYOUT = struct.Struct("<bd5I")  # schema, zero threshold, lengths of what follows and of buckets
_LAYOUT_LENGTHS = struct.Struct("<5I")
# A quiet NaN that nobody computes, with 50 bits of what the histogram is.
_FINGERPRINT_NAN = np.uint64(0xFFFC_0000_0000_0000)
_FINGERPRINT_MASK = np.uint64(0x0003_FFFF_FFFF_FFFF)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_STRIDE = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What histograms share; ``positive`` and ``negative`` are numbers of buckets."""

    schema: int
    zero_threshold: float
    positive_spans: Spans
    negative_spans: Spans
    custom_values: tuple[float, ...]
    positive: int
    negative: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramColumns:
    """Histograms in order: ``layouts`` are written layouts, ``owners`` says which one each has.

    ``resets`` are counter reset hints; histogram ``i`` has ``numbers[offsets[i]:offsets[i + 1]]``.
    """

    layouts: tuple[bytes, ...]
    owners: Int64Array
    resets: npt.NDArray[np.uint8]
    offsets: Int64Array
    numbers: Float64Array

    @classmethod
    def of(cls, histograms: Sequence[Histogram]) -> Self:
        """Lay histograms out."""
        places: dict[bytes, int] = {}
        owners = [places.setdefault(_layout_of(one), len(places)) for one in histograms]
        numbers = np.fromiter(chain.from_iterable(map(_numbers_of, histograms)), np.float64)
        return cls.sliced(
            layouts=tuple(places),
            owners=np.array(owners, np.int64),
            resets=np.array([int(one.counter_reset) for one in histograms], np.uint8),
            numbers=numbers,
        )

    @classmethod
    def sliced(
        cls,
        *,
        layouts: tuple[bytes, ...],
        owners: Int64Array,
        resets: npt.NDArray[np.uint8],
        numbers: Float64Array,
    ) -> Self:
        """Make columns whose ``numbers`` follow each other in order.

        Raises:
            ValueError: there are not exactly as many numbers as the layouts say.

        """
        sizes = np.array([layout_size(layout) for layout in layouts], np.int64)[owners]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        if offsets[-1] != len(numbers):
            raise ValueError("histograms do not fit their numbers")
        return cls(layouts=layouts, owners=owners, resets=resets, offsets=offsets, numbers=numbers)

    def __len__(self) -> int:
        """Count the histograms."""
        return len(self.owners)

    @property
    def nbytes(self) -> int:
        """Bytes held in memory, nearly."""
        return int(self.owners.nbytes + self.offsets.nbytes + self.numbers.nbytes)

    def matrix(self, layout: int) -> Float64Array:
        """Return the numbers of all histograms of one layout, one row each."""
        chosen = np.flatnonzero(self.owners == layout)
        size = layout_size(self.layouts[layout])
        matrix: Float64Array = self.numbers[self.offsets[chosen][:, None] + np.arange(size)]
        return matrix

    def take(self, places: Int64Array) -> HistogramArray:
        """Return the histograms at these places as objects."""
        found = np.empty(len(places), np.object_)
        layouts = [read_layout(layout) for layout in self.layouts]
        for at, place in enumerate(places.tolist()):
            numbers = self.numbers[self.offsets[place] : self.offsets[place + 1]].tolist()
            layout = layouts[self.owners[place]]
            found[at] = _histogram(layout, numbers, CounterReset(int(self.resets[place])))
        return found

    def fingerprints(self) -> Float64Array:
        """Return a NaN per histogram whose bits are equal where Prometheus finds them equal.

        Equal are histograms with the same buckets and numbers; how spans are cut and the counter
        reset hint don't matter (``FloatHistogram.Equals``). One in 2^50 differing pairs collides.
        """
        found = np.empty(len(self), np.uint64)
        for layout, raw in enumerate(self.layouts):
            mixed = _mixed(self.matrix(layout).view(np.uint64), _layout_hash(raw))
            found[self.owners == layout] = mixed & _FINGERPRINT_MASK | _FINGERPRINT_NAN
        return found.view(np.float64)


def layout_size(layout: bytes) -> int:
    """Return how many numbers a histogram of a layout has.

    Raises:
        ValueError: the layout is damaged.

    """
    if len(layout) < _LAYOUT.size:
        raise ValueError("a layout of histograms is cut short")
    *_, positive, negative = _LAYOUT.unpack_from(layout)
    return SCALARS + int(positive) + int(negative)


@lru_cache(maxsize=4096)
def read_layout(raw: bytes) -> Layout:
    """Return a written layout.

    Raises:
        ValueError: it is damaged.

    """
    schema, zero_threshold, *lengths = _LAYOUT.unpack_from(raw)
    positive_spans, negative_spans, custom, positive, negative = lengths
    spans_end = _LAYOUT.size + 8 * (positive_spans + negative_spans)
    if len(raw) != spans_end + 8 * custom:
        raise ValueError("a layout of histograms has the wrong length")
    flat = struct.unpack_from(f"<{2 * (positive_spans + negative_spans)}i", raw, _LAYOUT.size)
    spans = tuple(zip(flat[::2], flat[1::2], strict=True))
    return Layout(
        schema=schema,
        zero_threshold=zero_threshold,
        positive_spans=spans[:positive_spans],
        negative_spans=spans[positive_spans:],
        custom_values=struct.unpack_from(f"<{custom}d", raw, spans_end),
        positive=positive,
        negative=negative,
    )


def _layout_of(one: Histogram) -> bytes:
    return _written_layout(
        one.schema,
        struct.pack("<d", one.zero_threshold),
        one.positive_spans,
        one.negative_spans,
        struct.pack(f"<{len(one.custom_values)}d", *one.custom_values),
        len(one.positive),
        len(one.negative),
    )


@lru_cache(maxsize=4096)
def _written_layout(  # noqa: PLR0917 - a key of the cache
    schema: int,
    zero_threshold: bytes,  # written: as a float 0.0 and -0.0 would be one key
    positive_spans: Spans,
    negative_spans: Spans,
    custom_values: bytes,
    positive: int,
    negative: int,
) -> bytes:
    spans = list(chain.from_iterable((*positive_spans, *negative_spans)))
    return b"".join(
        [
            struct.pack("<b", schema),
            zero_threshold,
            _LAYOUT_LENGTHS.pack(
                len(positive_spans),
                len(negative_spans),
                len(custom_values) // 8,
                positive,
                negative,
            ),
            struct.pack(f"<{len(spans)}i", *spans),
            custom_values,
        ]
    )


def _numbers_of(one: Histogram) -> Iterable[float]:
    return (one.count, one.sum, one.zero_count, *one.positive, *one.negative)


def _histogram(layout: Layout, numbers: list[float], reset: CounterReset) -> Histogram:
    border = SCALARS + layout.positive
    return Histogram(
        count=numbers[0],
        sum=numbers[1],
        schema=layout.schema,
        zero_threshold=layout.zero_threshold,
        zero_count=numbers[2],
        positive_spans=layout.positive_spans,
        positive=tuple(numbers[SCALARS:border]),
        negative_spans=layout.negative_spans,
        negative=tuple(numbers[border:]),
        custom_values=layout.custom_values,
        counter_reset=reset,
    )


@lru_cache(maxsize=4096)
def _layout_hash(raw: bytes) -> np.uint64:
    layout = read_layout(raw)
    canonical: tuple[Any, ...] = (
        layout.schema,
        layout.zero_threshold,
        _buckets(layout.positive_spans),
        _buckets(layout.negative_spans),
        layout.custom_values,
    )
    digest = blake2b(repr(canonical).encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def _buckets(spans: Spans) -> list[tuple[int, int]]:
    """Return spans as (first bucket, length), those that touch joined, empty ones left out."""
    found: list[tuple[int, int]] = []
    at = 0
    for gap, length in spans:
        at += gap
        if found and sum(found[-1]) == at:
            found[-1] = (found[-1][0], found[-1][1] + length)
        elif length:
            found.append((at, length))
        at += length
    return found


def _mixed(bits: UInt64Array, seed: np.uint64) -> UInt64Array:
    with np.errstate(over="ignore"):
        steps: UInt64Array = np.arange(1, bits.shape[1] + 1, dtype=np.uint64)
        keyed: UInt64Array = bits + (_STRIDE * steps).astype(np.uint64)
        spread: UInt64Array = _scrambled(keyed).sum(axis=1, dtype=np.uint64)
        return _scrambled(spread ^ seed)


def _scrambled(bits: UInt64Array) -> UInt64Array:
    """Finish as SplitMix64 does, which lets every bit change every other."""
    bits = (bits ^ (bits >> np.uint64(30))) * _MIX_A
    bits = (bits ^ (bits >> np.uint64(27))) * _MIX_B
    return bits ^ (bits >> np.uint64(31))
