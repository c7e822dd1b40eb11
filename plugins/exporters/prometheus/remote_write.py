"""Bodies of remote write 1.0: ``prometheus.WriteRequest``, compressed with snappy's block format.

Source: the Prometheus remote write specification 1.0.
"""

import struct
from collections.abc import Sequence
from typing import Final

import cramjam

from detectviz.contracts.records import MetricRecord

CONTENT_TYPE: Final = "application/x-protobuf"
HEADERS: Final = (
    ("Content-Encoding", "snappy"),
    ("X-Prometheus-Remote-Write-Version", "0.1.0"),
)
_BITS: Final = 7
_MORE: Final = 0x80
_NEGATIVE: Final = 1 << 64


def encode(samples: Sequence[MetricRecord]) -> bytes:
    """Return the body for samples; labels are sorted by name and samples of a series by time."""
    series: dict[tuple[tuple[str, str], ...], list[MetricRecord]] = {}
    for sample in samples:
        key = tuple(sorted((name, value) for name, value in sample.labels.items() if value))
        series.setdefault(key, []).append(sample)
    body = b"".join(_message(1, _series(key, found)) for key, found in series.items())
    return bytes(cramjam.snappy.compress_raw(body))


def _series(key: Sequence[tuple[str, str]], samples: list[MetricRecord]) -> bytes:
    labels = b"".join(_message(1, _text(1, name) + _text(2, value)) for name, value in key)
    ordered = sorted(samples, key=lambda sample: sample.timestamp_ms)
    return labels + b"".join(_message(2, _sample(sample)) for sample in ordered)


def _sample(sample: MetricRecord) -> bytes:
    return b"\x09" + struct.pack("<d", sample.value) + b"\x10" + _varint(sample.timestamp_ms)


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode("utf-8", "replace"))


def _message(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    number %= _NEGATIVE
    found = bytearray()
    while number >= _MORE:
        found.append(number % _MORE | _MORE)
        number >>= _BITS
    found.append(number)
    return bytes(found)
