"""Native histograms as remote write 1.0 and 2.0 send them (the same message in both).

Source: ``prompb/types.proto`` and ``io.prometheus.write.v2.Histogram``; what is refused is what
Prometheus' ``histogram.Validate`` refuses.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from detectviz.ingest import wire
from detectviz.ingest.errors import MalformedError
from detectviz.tsdb.histograms import (
    CUSTOM_BUCKETS_SCHEMA,
    MAX_SCHEMA,
    MIN_SCHEMA,
    CounterReset,
    Histogram,
)
from detectviz.tsdb.interface import STALE_NAN_BITS

MOST_BUCKETS = 10_000  # spans may name any number of buckets without sending them
_STALE_BYTES = STALE_NAN_BITS.to_bytes(8, "little")
Spans = tuple[tuple[int, int], ...]


class HistogramError(ValueError):
    """A histogram that can't be one; the rest of its request can be used."""


@dataclass(slots=True)
class _Message:
    """The fields of one message as they come."""

    is_float: bool = False
    is_stale: bool = False
    count: float = 0.0
    sum: float = 0.0
    schema: int = 0
    zero_threshold: float = 0.0
    zero_count: float = 0.0
    negative_spans: list[tuple[int, int]] = field(default_factory=list)
    negative: list[float] = field(default_factory=list)
    negative_deltas: list[int] = field(default_factory=list)
    positive_spans: list[tuple[int, int]] = field(default_factory=list)
    positive: list[float] = field(default_factory=list)
    positive_deltas: list[int] = field(default_factory=list)
    reset: int = 0
    timestamp_ms: int = 0
    start_ms: int = 0
    custom_values: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramSample:
    """A histogram and its times; None is a stale marker."""

    histogram: Histogram | None
    timestamp_ms: int
    start_ms: int


def histogram_of(data: bytes, start: int, end: int) -> HistogramSample:
    """Decode one message; raise MalformedError, or HistogramError when it contradicts itself."""
    message = _Message()
    for tag, first, behind in wire.fields(data, start, end):
        setter = _FIELDS.get(tag)
        if setter is not None:
            setter(message, data, first, behind)
    times = (message.timestamp_ms, message.start_ms)
    if message.is_stale:
        return HistogramSample(histogram=None, timestamp_ms=times[0], start_ms=times[1])
    histogram = _built(message)
    check(histogram)
    return HistogramSample(histogram=histogram, timestamp_ms=times[0], start_ms=times[1])


def check(histogram: Histogram) -> None:
    """Raise HistogramError when a histogram contradicts itself."""
    if histogram.schema == CUSTOM_BUCKETS_SCHEMA:
        _check_custom(histogram)
    elif not MIN_SCHEMA <= histogram.schema <= MAX_SCHEMA:
        raise HistogramError(
            f"histogram schema {histogram.schema} is none of {MIN_SCHEMA}..{MAX_SCHEMA}, "
            f"{CUSTOM_BUCKETS_SCHEMA}"
        )
    elif histogram.custom_values:
        raise HistogramError("a histogram with exponential buckets has custom values")
    _check_spans("positive", histogram.positive_spans, histogram.positive)
    _check_spans("negative", histogram.negative_spans, histogram.negative)
    if not histogram.zero_threshold >= 0:
        raise HistogramError("the zero threshold of a histogram is negative")
    counts = (histogram.count, histogram.zero_count, *histogram.positive, *histogram.negative)
    if any(count < 0 for count in counts):
        raise HistogramError("a bucket of a histogram has a negative count")
    _check_total(histogram)


def _check_total(histogram: Histogram) -> None:
    """Compare the buckets with the count; observations of NaN are counted in no bucket."""
    total = histogram.zero_count + math.fsum((*histogram.positive, *histogram.negative))
    if total > histogram.count * (1 + 1e-9) + 1e-9:
        raise HistogramError(
            f"the buckets of a histogram hold {total:g}, more than its count {histogram.count:g}"
        )


def _check_custom(histogram: Histogram) -> None:
    if histogram.negative_spans or histogram.zero_count or histogram.zero_threshold:
        raise HistogramError("a histogram with custom buckets has negative or zero buckets")
    bounds = histogram.custom_values
    if any(not low < high for low, high in pairwise(bounds)):
        raise HistogramError("the custom values of a histogram are not ascending")
    if any(math.isnan(bound) or bound == math.inf for bound in bounds):
        raise HistogramError("the custom values of a histogram are not finite")
    reach = sum(gap + length for gap, length in histogram.positive_spans)
    if reach > len(bounds) + 1 or any(gap < 0 for gap, _ in histogram.positive_spans):
        raise HistogramError("a histogram has more custom buckets than bounds")


def _check_spans(side: str, spans: Spans, buckets: tuple[float, ...]) -> None:
    if any(gap < 0 for gap, _ in spans[1:]):
        raise HistogramError(f"a {side} span of a histogram begins before the one before it ends")
    needed = sum(length for _, length in spans)
    if needed != len(buckets) or needed > MOST_BUCKETS:
        raise HistogramError(
            f"the {side} spans of a histogram need {needed} buckets, {len(buckets)} were sent"
        )


def _built(message: _Message) -> Histogram:
    positive: tuple[float, ...] = tuple(message.positive)
    negative: tuple[float, ...] = tuple(message.negative)
    if not message.is_float:
        positive = tuple(map(float, accumulate(message.positive_deltas)))
        negative = tuple(map(float, accumulate(message.negative_deltas)))
    if not 0 <= message.reset <= CounterReset.GAUGE:
        raise HistogramError(f"counter reset hint {message.reset} is unknown")
    return Histogram(
        count=message.count,
        sum=message.sum,
        schema=message.schema,
        zero_threshold=message.zero_threshold,
        zero_count=message.zero_count,
        positive_spans=tuple(message.positive_spans),
        positive=positive,
        negative_spans=tuple(message.negative_spans),
        negative=negative,
        custom_values=tuple(message.custom_values),
        counter_reset=CounterReset(message.reset),
    )


_Setter = Callable[[_Message, bytes, int, int], None]


def _count_int(message: _Message, data: bytes, first: int, behind: int) -> None:
    message.count = float(first)


def _count_float(message: _Message, data: bytes, first: int, behind: int) -> None:
    message.count, message.is_float = wire.double(data, first), True


def _sum(message: _Message, data: bytes, first: int, behind: int) -> None:
    message.sum = wire.double(data, first)
    message.is_stale = data[first:behind] == _STALE_BYTES


def _schema(message: _Message, data: bytes, first: int, behind: int) -> None:
    message.schema = wire.zigzag(first & 0xFFFF_FFFF)


def _zero_threshold(message: _Message, data: bytes, first: int, behind: int) -> None:
    message.zero_threshold = wire.double(data, first)


def _zero_int(message: _Message, data: bytes, first: int, behind: int) -> None:
    message.zero_count = float(first)


def _zero_float(message: _Message, data: bytes, first: int, behind: int) -> None:
    message.zero_count = wire.double(data, first)


def _reset(message: _Message, data: bytes, first: int, behind: int) -> None:
    message.reset = first


def _timestamp(message: _Message, data: bytes, first: int, behind: int) -> None:
    message.timestamp_ms = wire.signed(first)


def _start(message: _Message, data: bytes, first: int, behind: int) -> None:
    message.start_ms = wire.signed(first)


def _span(side: str) -> _Setter:
    def setter(message: _Message, data: bytes, first: int, behind: int) -> None:
        gap = length = 0
        for tag, number, _ in wire.fields(data, first, behind):
            if tag == 1 << 3:
                gap = wire.zigzag(number & 0xFFFF_FFFF)
            elif tag == 2 << 3:
                length = number
        if length > MOST_BUCKETS:
            raise MalformedError(f"a histogram names more than {MOST_BUCKETS} buckets")
        getattr(message, f"{side}_spans").append((gap, length))

    return setter


def _deltas(side: str, *, is_packed: bool) -> _Setter:
    def setter(message: _Message, data: bytes, first: int, behind: int) -> None:
        numbers = wire.varints(data, first, behind) if is_packed else [first]
        getattr(message, f"{side}_deltas").extend(map(wire.zigzag, numbers))

    return setter


def _counts(name: str) -> _Setter:
    def setter(message: _Message, data: bytes, first: int, behind: int) -> None:
        getattr(message, name).extend(wire.doubles(data, first, behind))

    return setter


def _tag(number: int, kind: int) -> int:
    return number << 3 | kind


_FIELDS: dict[int, _Setter] = {
    _tag(1, wire.VARINT): _count_int,
    _tag(2, wire.FIXED64): _count_float,
    _tag(3, wire.FIXED64): _sum,
    _tag(4, wire.VARINT): _schema,
    _tag(5, wire.FIXED64): _zero_threshold,
    _tag(6, wire.VARINT): _zero_int,
    _tag(7, wire.FIXED64): _zero_float,
    _tag(8, wire.DELIMITED): _span("negative"),
    _tag(9, wire.DELIMITED): _deltas("negative", is_packed=True),
    _tag(9, wire.VARINT): _deltas("negative", is_packed=False),
    _tag(10, wire.DELIMITED): _counts("negative"),
    _tag(10, wire.FIXED64): _counts("negative"),
    _tag(11, wire.DELIMITED): _span("positive"),
    _tag(12, wire.DELIMITED): _deltas("positive", is_packed=True),
    _tag(12, wire.VARINT): _deltas("positive", is_packed=False),
    _tag(13, wire.DELIMITED): _counts("positive"),
    _tag(13, wire.FIXED64): _counts("positive"),
    _tag(14, wire.VARINT): _reset,
    _tag(15, wire.VARINT): _timestamp,
    _tag(16, wire.DELIMITED): _counts("custom_values"),
    _tag(16, wire.FIXED64): _counts("custom_values"),
    _tag(17, wire.VARINT): _start,
}
