"""Prometheus remote write 1.0: ``prometheus.WriteRequest``.

Source: the Prometheus remote write 1.0 specification, ``prompb/remote.proto`` and
``prompb/types.proto`` (metadata, exemplars and native histograms are what Prometheus really
sends beside the specification).
"""

import struct
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from detectviz.ingest import wire
from detectviz.ingest.batch import Batch, MetricFacts
from detectviz.ingest.raw_labels import LABELS_TAG, is_label_list, label_of
from detectviz.ingest.series_columns import Columns, SeriesWalk, Singles
from detectviz.ingest.series_messages import FULL, ZERO, Windows, samples_at
from detectviz.tsdb.interface import Int64Array

CONTENT_TYPE = "prometheus.WriteRequest"
METRIC_TYPES = (
    "unknown",
    "counter",
    "gauge",
    "histogram",
    "gaugehistogram",
    "summary",
    "info",
    "stateset",
)

_SERIES_TAG, _METADATA_TAG = 0x0A, 0x1A
_SAMPLE_TAG, _EXEMPLAR_TAG, _HISTOGRAM_TAG = 0x12, 0x1A, 0x22
_RUN = struct.Struct("<3sdc6s")  # what series_messages.FULL describes
_RUN_HEAD = b"\x12\x10\x09"
_MOST_KNOWN = 300_000

# Hashes of byte strings that are whole label lists, so that a known one is not walked again. The
# hash is keyed per process; a collision would only make the store refuse one series.
_known: set[int] = set()


def parse(data: bytes) -> Batch:
    """Return the samples of a WriteRequest; raise MalformedError when it is none."""
    starts, ends, others = wire.messages(data, _SERIES_TAG)
    singles = _singles(data, starts, np.array(ends, np.int64))
    columns = Columns(singles)
    for row in np.flatnonzero(~singles.are).tolist():
        _walk(data, starts[row], ends[row], columns.walk(row))
    return columns.build(facts=_facts(data, others))


def _singles(data: bytes, starts: list[int], ends: Int64Array) -> Singles:
    """Take the series that are labels and one sample at the end."""
    windows = Windows(data)
    sizes = np.zeros(len(ends), np.int64)
    times, values = np.zeros(len(ends), np.int64), np.zeros(len(ends))
    for shape in (FULL, ZERO):
        found = samples_at(windows, shape, ends - shape.size)
        sizes[found.rows] = shape.size
        times[found.rows] = found.timestamps_ms
        values[found.rows] = found.values
    # A pattern that begins before its message gives an empty or wrong token: no label list.
    tokens = [data[start:end] for start, end in zip(starts, (ends - sizes).tolist(), strict=True)]
    are = sizes > 0
    _leave_others(tokens, are)
    return Singles(tokens=tokens, are=are, timestamps_ms=times, values=values)


def _leave_others(tokens: list[bytes], are: npt.NDArray[np.bool_]) -> None:
    """Unmark what is no list of labels, such as labels and a first sample of two."""
    hashes = list(map(hash, tokens))
    if _known.issuperset(hashes):
        return
    if len(_known) > _MOST_KNOWN:
        _known.clear()
    for place, (token, digest) in enumerate(zip(tokens, hashes, strict=True)):
        if digest not in _known:
            if token and is_label_list(token):
                _known.add(digest)
            else:
                are[place] = False


def _walk(data: bytes, start: int, end: int, series: SeriesWalk) -> None:
    """Read a series message field by field."""
    labels, at = [], start
    for tag, first, behind in wire.fields(data, start, end):
        if tag == LABELS_TAG:
            labels.append(data[at:behind])
        elif tag == _SAMPLE_TAG:
            if _run(data[at:end], series):
                break
            _sample(data, first, behind, series)
        elif tag == _HISTOGRAM_TAG:
            series.histogram(data, first, behind)
        elif tag == _EXEMPLAR_TAG:
            _exemplar(data, first, behind, series)
        at = behind
    series.end(b"".join(labels))


def _run(data: bytes, series: SeriesWalk) -> bool:
    """Take samples of the usual shape that fill the rest of a message; False leaves them alone."""
    if len(data) % _RUN.size:
        return False
    found = []
    for head, value, tag, digits in _RUN.iter_unpack(data):
        timestamp_ms = _six_byte_time(digits)
        if head != _RUN_HEAD or tag != b"\x10" or timestamp_ms is None:
            return False
        found.append((timestamp_ms, value, 0, None))
    series.take(found)
    return True


@lru_cache(maxsize=4096)  # series of one scrape share their times
def _six_byte_time(digits: bytes) -> int | None:
    if digits[-1] & 0x80 or not all(digit & 0x80 for digit in digits[:-1]):
        return None
    return wire.read_varint(digits, 0)[0]


def _sample(data: bytes, start: int, end: int, series: SeriesWalk) -> None:
    value, timestamp_ms = 0.0, 0
    for tag, first, _ in wire.fields(data, start, end):
        if tag == 0x09:  # noqa: PLR2004 - field 1, a double
            value = wire.double(data, first)
        elif tag == 0x10:  # noqa: PLR2004 - field 2, a varint
            timestamp_ms = wire.signed(first)
    series.sample(timestamp_ms, value, 0)


def _exemplar(data: bytes, start: int, end: int, series: SeriesWalk) -> None:
    labels: dict[str, str] = {}
    value, timestamp_ms = 0.0, 0
    for tag, first, behind in wire.fields(data, start, end):
        if tag == LABELS_TAG:
            name, text = label_of(data, first, behind)
            labels[name] = text
        elif tag == 0x11:  # noqa: PLR2004 - field 2, a double
            value = wire.double(data, first)
        elif tag == 0x18:  # noqa: PLR2004 - field 3, a varint
            timestamp_ms = wire.signed(first)
    series.exemplar(labels, value, timestamp_ms)


def _facts(data: bytes, others: Iterable[tuple[int, int, int]]) -> tuple[MetricFacts, ...]:
    return tuple(_fact(data[first:behind]) for tag, first, behind in others if tag == _METADATA_TAG)


@lru_cache(maxsize=4096)  # Prometheus repeats them every minute
def _fact(data: bytes) -> MetricFacts:
    texts: dict[int, str] = {}
    kind = 0
    for tag, first, behind in wire.fields(data, 0, len(data)):
        if tag == 0x08:  # noqa: PLR2004 - field 1, a varint
            kind = first
        elif tag & 7 == wire.DELIMITED:
            texts[tag >> 3] = wire.text(data, first, behind)
    return MetricFacts(
        name=texts.get(2, ""),
        type=METRIC_TYPES[kind] if kind < len(METRIC_TYPES) else "unknown",
        help=texts.get(4, ""),
        unit=texts.get(5, ""),
    )
