"""Prometheus remote write 1.0 bodies: protobuf by hand, snappy block format.

Source: the Prometheus remote write specification; ``prompb.WriteRequest``.
"""

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache

import cramjam

from detectviz.tsdb.labels import LabelKey

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}

_DOUBLE = struct.Struct("<d")
_MORE = 0x80
_LOW = 0x7F
_UNSIGNED_64 = (1 << 64) - 1
_LENGTH_DELIMITED = 2


def write_request(series: Iterable[tuple[LabelKey, Sequence[tuple[int, float]]]]) -> bytes:
    """Encode series, each with its (milliseconds, value) pairs, as a compressed WriteRequest."""
    body = b"".join(
        _field(1, _labels(key) + b"".join(_sample(*pair) for pair in pairs))
        for key, pairs in series
    )
    return bytes(cramjam.snappy.compress_raw(body))


@lru_cache(maxsize=50_000)
def _labels(key: LabelKey) -> bytes:
    return b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in key
    )


def _sample(timestamp_ms: int, value: float) -> bytes:
    return _field(2, b"\x09" + _DOUBLE.pack(value) + b"\x10" + _varint(timestamp_ms & _UNSIGNED_64))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


@lru_cache(maxsize=4096)  # lengths and times repeat
def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > _LOW:
        encoded.append(value & _LOW | _MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
