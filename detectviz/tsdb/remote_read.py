"""Prometheus remote read 1.0, answered with samples (not with chunks). Protobuf by hand.

Source: the Prometheus remote read documentation; ``prompb.ReadRequest`` and ``ReadResponse``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cramjam
import numpy as np
import numpy.typing as npt

from detectviz.tsdb.interface import (
    Float64Array,
    HistogramArray,
    Int64Array,
    Matcher,
    MatchOp,
    SeriesSet,
    StoreError,
)
from detectviz.tsdb.protobuf import (
    MalformedError,
    fields,
    integer,
    message,
    read_double,
    read_varint,
    signed,
)
from detectviz.tsdb.remote_histograms import decode_histogram

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "Accept-Encoding": "snappy",
    "X-Prometheus-Remote-Read-Version": "0.1.0",
}

_OPERATORS = {MatchOp.EQUAL: 0, MatchOp.NOT_EQUAL: 1, MatchOp.REGEX: 2, MatchOp.NOT_REGEX: 3}
_LABEL, _SAMPLE, _HISTOGRAM = 1, 2, 4
_SAMPLE_TAG = _SAMPLE << 3 | 2
_USUAL_BYTES = 18  # of a sample whose time takes six bytes and whose value is not zero
_USUAL_MARKS = (_SAMPLE_TAG, _USUAL_BYTES - 2, 0x09, 0x10)
_MARK_COLUMNS = [0, 1, 2, 11]
_TIME_BYTES = 6


def read_request(matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> bytes:
    """Encode a request for the raw samples of matching series, both ends inclusive."""
    conditions = b"".join(
        message(
            3,
            integer(1, _OPERATORS[matcher.op])
            + message(2, matcher.name.encode())
            + message(3, matcher.value.encode()),
        )
        for matcher in matchers
    )
    query = integer(1, start_ms) + integer(2, end_ms) + conditions
    return bytes(cramjam.snappy.compress_raw(message(1, query)))


@dataclass(slots=True)
class ReadSeries:
    """One series of an answer: sorted label pairs, and samples in the order they came."""

    key: tuple[tuple[str, str], ...]
    timestamps_ms: Int64Array
    values: Float64Array
    histograms: HistogramArray | None = None


def read_response(body: bytes) -> list[ReadSeries]:
    """Decode the answer to ``read_request``.

    Raises:
        StoreError: it is no such answer.

    """
    try:
        data = bytes(cramjam.snappy.decompress_raw(body))
        return [
            _series(data, low, high)
            for _, first, last in fields(data)
            for number, low, high in fields(data, first, last)
            if number == 1
        ]
    except (MalformedError, UnicodeDecodeError, cramjam.DecompressionError) as error:
        raise StoreError(
            f"the answer to remote read is not understood: {error}", retryable=False
        ) from error


def series_set_of(found: Sequence[ReadSeries]) -> SeriesSet:
    """Make one answer of series, each key once, times ascending and unique."""
    ordered = sorted((one for one in found if len(one.timestamps_ms)), key=lambda one: one.key)
    counts = np.array([len(one.timestamps_ms) for one in ordered], np.int64)
    has_histograms = any(one.histograms is not None for one in ordered)
    return SeriesSet(
        labels=tuple(dict(one.key) for one in ordered),
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        timestamps_ms=np.concatenate(
            [np.empty(0, np.int64), *(one.timestamps_ms for one in ordered)]
        ),
        values=np.concatenate([np.empty(0), *(one.values for one in ordered)]),
        histograms=np.concatenate([_histograms_of(one) for one in ordered])
        if has_histograms
        else None,
    )


@dataclass(slots=True)
class _Gathering:
    pairs: list[tuple[str, str]] = field(default_factory=list)
    samples: list[tuple[int, int]] = field(default_factory=list)
    histograms: list[tuple[int, int]] = field(default_factory=list)


def _series(data: bytes, start: int, end: int) -> ReadSeries:
    gathering = _Gathering()
    at = start
    while at < end:
        tag = data[at]
        size, low = read_varint(data, at + 1)
        high = low + size
        if high > end:
            raise MalformedError("a series is cut off")
        if tag == _SAMPLE_TAG:
            high = _end_of_samples(data, at, end)  # they stand together: read them all at once
            gathering.samples.append((at, high))
        elif tag == _LABEL << 3 | 2:
            gathering.pairs.append(_pair(data, low, high))
        elif tag == _HISTOGRAM << 3 | 2:
            gathering.histograms.append((low, high))
        at = high
    runs = [_samples(data, *run) for run in gathering.samples]
    times = np.concatenate([np.empty(0, np.int64), *(run[0] for run in runs)])
    values = np.concatenate([np.empty(0), *(run[1] for run in runs)])
    key = tuple(sorted(gathering.pairs))
    if not gathering.histograms:
        return ReadSeries(key, times, values)
    return _with_histograms(key, times, values, data, gathering.histograms)


def _end_of_samples(data: bytes, at: int, end: int) -> int:
    # Times of this century and values other than zero all have one size.
    stretch = (end - at) // _USUAL_BYTES * _USUAL_BYTES
    if stretch and len(data) >= at + stretch and _are_usual(_rows(data, at, at + stretch)):
        at += stretch
    while at < end and data[at] == _SAMPLE_TAG:
        at += 2 + data[at + 1]  # a sample is shorter than 128 bytes
    return at


def _samples(data: bytes, start: int, end: int) -> tuple[Int64Array, Float64Array]:
    if (end - start) % _USUAL_BYTES == 0:
        rows = _rows(data, start, end)
        if _are_usual(rows):
            return _usual(rows)
    return _unusual(data, start, end)


def _rows(data: bytes, start: int, end: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8, end - start, start).reshape(-1, _USUAL_BYTES)


def _are_usual(rows: npt.NDArray[np.uint8]) -> bool:
    return bool((rows[:, _MARK_COLUMNS] == _USUAL_MARKS).all())


def _usual(rows: npt.NDArray[np.uint8]) -> tuple[Int64Array, Float64Array]:
    values = np.ascontiguousarray(rows[:, 3:11]).view("<f8")[:, 0]
    times = np.zeros(len(rows), np.int64)
    for place in range(_TIME_BYTES):
        times |= (rows[:, 12 + place] & 0x7F).astype(np.int64) << (7 * place)
    return times, values


def _unusual(data: bytes, start: int, end: int) -> tuple[Int64Array, Float64Array]:
    times: list[int] = []
    values: list[float] = []
    at = start
    while at < end:
        size, at = read_varint(data, at + 1)
        moment, value = 0, 0.0
        for number, low, _ in fields(data, at, at + size):
            if number == 1:
                value = read_double(data, low)
            else:
                moment = signed(low)
        times.append(moment)
        values.append(value)
        at += size
    return np.array(times, np.int64), np.array(values, np.float64)


def _pair(data: bytes, start: int, end: int) -> tuple[str, str]:
    found = {number: data[low:high].decode() for number, low, high in fields(data, start, end)}
    return found.get(1, ""), found.get(2, "")


def _with_histograms(
    key: tuple[tuple[str, str], ...],
    times: Int64Array,
    values: Float64Array,
    data: bytes,
    places: list[tuple[int, int]],
) -> ReadSeries:
    """Put histograms and floats of a series in order of time."""
    decoded = [decode_histogram(data, low, high) for low, high in places]
    all_times = np.concatenate([times, np.array([moment for moment, _ in decoded], np.int64)])
    all_values = np.concatenate([values, np.full(len(decoded), np.nan)])
    histograms = np.full(len(all_times), None, np.object_)
    histograms[len(times) :] = [histogram for _, histogram in decoded]
    order = np.argsort(all_times, kind="stable")
    return ReadSeries(key, all_times[order], all_values[order], histograms[order])


def _histograms_of(one: ReadSeries) -> HistogramArray:
    if one.histograms is not None:
        return one.histograms
    return np.full(len(one.timestamps_ms), None, np.object_)
