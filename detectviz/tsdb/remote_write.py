"""Prometheus remote write 1.0 bodies: protobuf by hand, snappy block format.

Source: the Prometheus remote write specification; ``prompb.WriteRequest``.
"""

from collections.abc import Iterable, Mapping, Sequence

import cramjam
import numpy as np

from detectviz.tsdb.interface import Float64Array, Int64Array
from detectviz.tsdb.labels import LabelKey
from detectviz.tsdb.protobuf import double, message, varint

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}

_SERIES, _LABEL, _SAMPLE, _HISTOGRAM = 1, 1, 2, 4
_SAMPLE_BYTES = 18  # of a sample whose time takes six bytes, as all between 1971 and 2109 do
_TIME_BYTES = 6
_USUAL_FROM_MS, _USUAL_TO_MS = 1 << 35, 1 << 42


def compressed(messages: Iterable[bytes]) -> bytes:
    """Return the body of a request made of ``TimeSeries`` fields."""
    return bytes(cramjam.snappy.compress_raw(b"".join(messages)))


def encode_labels(key: LabelKey) -> bytes:
    """Encode labels, sorted by name, as the ``Label`` fields of a ``TimeSeries``."""
    return b"".join(
        message(_LABEL, message(1, name.encode()) + message(2, value.encode()))
        for name, value in key
    )


def encode_series(
    labels: Sequence[bytes],
    counts: Int64Array,
    timestamps_ms: Int64Array,
    values: Float64Array,
    histograms: Mapping[int, bytes],
) -> list[bytes]:
    """Encode series as ``TimeSeries`` fields, one each.

    ``labels`` are what ``encode_labels`` gives; series ``i`` owns the next ``counts[i]`` samples.
    ``histograms`` are encoded messages by place of the sample, which then has no value.
    """
    usual = (timestamps_ms >= _USUAL_FROM_MS) & (timestamps_ms < _USUAL_TO_MS)
    if histograms or not usual.all():
        return _encode_any(labels, counts, timestamps_ms, values, histograms)
    samples = _usual_samples(timestamps_ms, values)
    ends = (np.cumsum(counts) * _SAMPLE_BYTES).tolist()
    found, start = [], 0
    for label, end in zip(labels, ends, strict=True):
        found.append(b"\x0a" + varint(len(label) + end - start) + label + samples[start:end])
        start = end
    return found


def _usual_samples(timestamps_ms: Int64Array, values: Float64Array) -> bytes:
    rows = np.empty((len(values), _SAMPLE_BYTES), np.uint8)
    rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 11] = 0x12, _SAMPLE_BYTES - 2, 0x09, 0x10
    rows[:, 3:11] = np.ascontiguousarray(values, "<f8").view(np.uint8).reshape(-1, 8)
    shifts = np.arange(_TIME_BYTES) * 7
    rows[:, 12:] = (timestamps_ms[:, None] >> shifts) & 0x7F
    rows[:, 12:-1] |= 0x80
    return rows.tobytes()


def _encode_any(
    labels: Sequence[bytes],
    counts: Int64Array,
    timestamps_ms: Int64Array,
    values: Float64Array,
    histograms: Mapping[int, bytes],
) -> list[bytes]:
    rows = [
        message(_HISTOGRAM, histograms[place])
        if place in histograms
        else message(_SAMPLE, double(1, value) + b"\x10" + varint(moment))
        for place, (moment, value) in enumerate(
            zip(timestamps_ms.tolist(), values.tolist(), strict=True)
        )
    ]
    ends = np.cumsum(counts).tolist()
    starts = [0, *ends[:-1]]
    return [
        message(_SERIES, label + b"".join(rows[start:end]))
        for label, start, end in zip(labels, starts, ends, strict=True)
    ]
