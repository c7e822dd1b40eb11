"""Native histograms as Prometheus' remote protocols carry them.

Source: ``prompb.Histogram`` of the remote write 1.0 and remote read protocols. We send float
histograms; what we read may be either, integer counts are turned into absolute floats.
"""

from itertools import accumulate

from detectviz.tsdb.histograms import CounterReset, Histogram
from detectviz.tsdb.protobuf import (
    double,
    fields,
    integer,
    message,
    packed_doubles,
    read_double,
    read_doubles,
    read_packed,
    signed,
    unzigzag,
    varint,
    zigzag,
)

_Spans = tuple[tuple[int, int], ...]
_COUNT_INT, _COUNT, _SUM, _SCHEMA, _ZERO_THRESHOLD, _ZERO_INT, _ZERO = 1, 2, 3, 4, 5, 6, 7
_NEGATIVE_SPANS, _NEGATIVE_DELTAS, _NEGATIVE = 8, 9, 10
_POSITIVE_SPANS, _POSITIVE_DELTAS, _POSITIVE = 11, 12, 13
_RESET, _TIMESTAMP, _CUSTOM = 14, 15, 16


def encode_histogram(histogram: Histogram, timestamp_ms: int) -> bytes:
    """Return the content of a ``prompb.Histogram`` with float counts."""
    return b"".join(
        [
            double(_COUNT, histogram.count),
            double(_SUM, histogram.sum),
            integer(_SCHEMA, zigzag(histogram.schema)),
            double(_ZERO_THRESHOLD, histogram.zero_threshold),
            double(_ZERO, histogram.zero_count),
            _spans(_NEGATIVE_SPANS, histogram.negative_spans),
            packed_doubles(_NEGATIVE, histogram.negative),
            _spans(_POSITIVE_SPANS, histogram.positive_spans),
            packed_doubles(_POSITIVE, histogram.positive),
            integer(_RESET, int(histogram.counter_reset)),
            integer(_TIMESTAMP, timestamp_ms),
            packed_doubles(_CUSTOM, histogram.custom_values),
        ]
    )


def decode_histogram(data: bytes, start: int = 0, end: int | None = None) -> tuple[int, Histogram]:
    """Return the time (milliseconds) and the histogram of a ``prompb.Histogram``.

    Raises:
        MalformedError: the bytes are no such message.

    """
    reading = _Reading(data)
    for number, low, high in fields(data, start, end):
        reading.take(number, low, high)
    return reading.timestamp_ms, reading.histogram()


def _spans(number: int, spans: _Spans) -> bytes:
    return b"".join(
        message(number, integer(1, zigzag(gap)) + b"\x10" + varint(length)) for gap, length in spans
    )


class _Reading:
    """Gathers the fields of one message."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.timestamp_ms = 0
        self._numbers: dict[int, float] = {}
        self._lists: dict[int, list[float]] = {}
        self._spans: dict[int, list[tuple[int, int]]] = {}

    def take(self, number: int, low: int, high: int) -> None:
        if number == _TIMESTAMP:
            self.timestamp_ms = signed(low)
        elif number in {_COUNT_INT, _ZERO_INT, _RESET}:
            self._numbers[number] = low
        elif number == _SCHEMA:
            self._numbers[number] = unzigzag(low)
        elif number in {_COUNT, _SUM, _ZERO_THRESHOLD, _ZERO}:
            self._numbers[number] = read_double(self._data, low)
        elif number in {_NEGATIVE_SPANS, _POSITIVE_SPANS}:
            self._spans.setdefault(number, []).append(self._span(low, high))
        elif number in {_NEGATIVE_DELTAS, _POSITIVE_DELTAS}:
            values = [low] if high < 0 else list(read_packed(self._data, low, high))
            self._lists.setdefault(number, []).extend(unzigzag(value) for value in values)
        elif number in {_NEGATIVE, _POSITIVE, _CUSTOM}:
            self._lists.setdefault(number, []).extend(read_doubles(self._data, low, high))

    def histogram(self) -> Histogram:
        numbers = self._numbers
        return Histogram(
            count=float(numbers.get(_COUNT, numbers.get(_COUNT_INT, 0.0))),
            sum=numbers.get(_SUM, 0.0),
            schema=int(numbers.get(_SCHEMA, 0)),
            zero_threshold=numbers.get(_ZERO_THRESHOLD, 0.0),
            zero_count=float(numbers.get(_ZERO, numbers.get(_ZERO_INT, 0.0))),
            positive_spans=tuple(self._spans.get(_POSITIVE_SPANS, ())),
            positive=self._counts(_POSITIVE, _POSITIVE_DELTAS),
            negative_spans=tuple(self._spans.get(_NEGATIVE_SPANS, ())),
            negative=self._counts(_NEGATIVE, _NEGATIVE_DELTAS),
            custom_values=tuple(self._lists.get(_CUSTOM, ())),
            counter_reset=CounterReset(int(numbers.get(_RESET, 0))),
        )

    def _counts(self, absolute: int, deltas: int) -> tuple[float, ...]:
        if deltas in self._lists:
            return tuple(float(count) for count in accumulate(self._lists[deltas]))
        return tuple(self._lists.get(absolute, ()))

    def _span(self, low: int, high: int) -> tuple[int, int]:
        gap = length = 0
        for number, value, _ in fields(self._data, low, high):
            if number == 1:
                gap = unzigzag(value)
            else:
                length = value
        return gap, length
