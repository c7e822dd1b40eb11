"""Lots: what the queue holds. Each is samples of one tenant, complete in itself, checksummed."""

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import cramjam
import numpy as np

from detectviz.tsdb.interface import Float64Array, Int64Array
from detectviz.tsdb.labels import TENANT_LABEL, LabelKey
from detectviz.tsdb.planes import Cursor
from detectviz.tsdb.protobuf import MalformedError, fields
from detectviz.tsdb.remote_write import encode_series

_MAGIC = b"DVQ1"
_HEADER = struct.Struct("<4sIIII")  # magic, series, samples, histograms, CRC-32 of what follows


class DamagedLotError(Exception):
    """Stored bytes are not what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Samples, series after series, times ascending within one.

    ``labels`` are protobuf ``Label`` fields, the tenant's label among them where the backend
    needs it; series ``i`` owns the next ``counts[i]`` samples. ``histograms`` are encoded ones by
    place of the sample.
    """

    labels: Sequence[bytes]
    counts: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    histograms: Mapping[int, bytes] = field(default_factory=dict)

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.timestamps_ms)

    def messages(self) -> list[bytes]:
        """Return the ``TimeSeries`` fields of a remote write request."""
        return encode_series(
            self.labels, self.counts, self.timestamps_ms, self.values, self.histograms
        )


def encode_lot(lot: Lot) -> bytes:
    """Write a lot for the queue."""
    places = np.array(list(lot.histograms), "<u4")
    sizes = np.array([len(one) for one in lot.histograms.values()], "<u4")
    body = b"".join(
        [
            np.array([len(label) for label in lot.labels], "<u4").tobytes(),
            lot.counts.astype("<u4").tobytes(),
            lot.timestamps_ms.astype("<i8", copy=False).tobytes(),
            lot.values.astype("<f8", copy=False).tobytes(),
            places.tobytes(),
            sizes.tobytes(),
            *lot.labels,
            *lot.histograms.values(),
        ]
    )
    payload = bytes(cramjam.snappy.compress_raw(body))
    head = (len(lot.labels), len(lot), len(lot.histograms), zlib.crc32(payload))
    return _HEADER.pack(_MAGIC, *head) + payload


def decode_lot(raw: bytes) -> Lot:
    """Return what ``encode_lot`` wrote.

    Raises:
        DamagedLotError: the bytes are damaged or of another format.

    """
    try:
        magic, series, samples, histograms, crc = _HEADER.unpack_from(raw)
        payload = raw[_HEADER.size :]
        if magic != _MAGIC or zlib.crc32(payload) != crc:
            raise DamagedLotError("checksum of a queued lot differs")
        body = bytes(cramjam.snappy.decompress_raw(payload))
        return _lot_of(body, series, samples, histograms)
    except (ValueError, struct.error, cramjam.DecompressionError) as error:
        raise DamagedLotError(str(error)) from error


def _lot_of(body: bytes, series: int, samples: int, histograms: int) -> Lot:
    cursor = Cursor(body)
    label_sizes = cursor.take("<u4", series)
    counts = cursor.take("<u4", series).astype(np.int64)
    timestamps_ms = cursor.take("<i8", samples)
    values = cursor.take("<f8", samples)
    places = cursor.take("<u4", histograms)
    sizes = cursor.take("<u4", histograms)
    start = 8 * series + 16 * samples + 8 * histograms
    pieces = _cut(body, start, [*label_sizes.tolist(), *sizes.tolist()])
    return Lot(
        labels=pieces[:series],
        counts=counts,
        timestamps_ms=timestamps_ms,
        values=values,
        histograms=dict(zip(places.tolist(), pieces[series:], strict=True)),
    )


def _cut(body: bytes, start: int, sizes: list[int]) -> list[bytes]:
    found = []
    for size in sizes:
        found.append(body[start : start + size])
        start += size
    return found


@lru_cache(maxsize=50_000)
def labels_of(encoded: bytes) -> LabelKey:
    """Return encoded labels as sorted pairs, without the tenant's.

    Raises:
        MalformedError: these are no labels.

    """
    pairs = []
    for _, low, high in fields(encoded):
        pair = {
            number: encoded[start:end].decode() for number, start, end in fields(encoded, low, high)
        }
        if 1 not in pair:
            raise MalformedError("a label has no name")
        if pair[1] != TENANT_LABEL:
            pairs.append((pair[1], pair.get(2, "")))
    return tuple(sorted(pairs))


def without(
    lot: Lot, label_sets: Iterable[Mapping[str, str]], start_ms: int, end_ms: int
) -> Lot | None:
    """Return the lot without the samples of these series between two times; None if all go."""
    gone = {tuple(sorted(labels.items())) for labels in label_sets}
    hit = np.array([labels_of(label) in gone for label in lot.labels], np.bool_)
    owners = np.repeat(np.arange(len(lot.labels)), lot.counts)
    inside = (lot.timestamps_ms >= start_ms) & (lot.timestamps_ms <= end_ms)
    kept = np.flatnonzero(~(hit[owners] & inside))
    if not len(kept):
        return None
    places, counts = np.unique(owners[kept], return_counts=True)
    moved = {int(old): new for new, old in enumerate(kept.tolist())}
    return Lot(
        labels=[lot.labels[place] for place in places.tolist()],
        counts=counts.astype(np.int64, copy=False),
        timestamps_ms=lot.timestamps_ms[kept],
        values=lot.values[kept],
        histograms={moved[old]: one for old, one in lot.histograms.items() if old in moved},
    )
