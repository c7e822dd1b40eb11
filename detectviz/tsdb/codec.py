"""What lies in the database: compressed column blocks, and plain log rows. All bit-exact.

A block holds some series of one part (rows) over a stretch of time (columns). Rows are packed to
the left: row ``i`` has ``counts[i]`` samples, and repeats its last one up to the right edge, which
costs nothing once compressed. Values that are whole numbers after multiplication with a power of
ten are stored as integers when the way back is exact; others as XORed doubles; NaN, infinities
and stale markers in a list of exceptions, so that they do not spoil their row.
"""

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from backports import zstd

from detectviz.tsdb.interface import Float64Array, Int64Array
from detectviz.tsdb.planes import (
    Cursor,
    pack_integers,
    pack_planes,
    pack_xor,
    rows_where,
    unpack_integers,
    unpack_planes,
    unpack_xor,
)

MAX_ROWS = 64
MAX_COLUMNS = 480

_MAGIC = b"DVB1"
_HEADER = struct.Struct("<4sHHI")  # magic, rows, columns, CRC-32 of what follows
_LOG_HEADER = struct.Struct("<II")  # samples, CRC-32 of what follows
_LEVEL = 3
_POWERS = 10.0 ** np.arange(7)
_NOT_SCALED = 255
_EXACT_LIMIT = 2.0**53
_PROBE_COLUMNS = 8


class CorruptError(Exception):
    """Stored bytes are not what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Samples of several series of one part.

    ``rows`` are the series' places in the part, ascending; ``timestamps_ms`` and ``values`` have
    shape (rows, columns); only the first ``counts[i]`` columns of row ``i`` mean anything.
    """

    rows: Int64Array
    counts: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        return int(self.timestamps_ms.nbytes + self.values.nbytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Samples in the order they came: parallel arrays."""

    series_ids: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.series_ids)

    def take(self, chosen: npt.NDArray[np.bool_]) -> "Batch":
        """Return the chosen samples."""
        return Batch(
            series_ids=self.series_ids[chosen],
            timestamps_ms=self.timestamps_ms[chosen],
            values=self.values[chosen],
        )


def block_from_flat(
    rows: Int64Array, counts: Int64Array, timestamps_ms: Int64Array, values: Float64Array
) -> Block:
    """Lay samples that come row after row into a padded block. Every count is at least one."""
    columns = int(counts.max())
    starts = np.cumsum(counts) - counts
    index = starts[:, None] + np.minimum(np.arange(columns), counts[:, None] - 1)
    return Block(rows=rows, counts=counts, timestamps_ms=timestamps_ms[index], values=values[index])


def encode_block(block: Block) -> bytes:
    """Compress a block of at most 64 rows and 480 columns."""
    rows, columns = block.values.shape
    body = b"".join(
        [
            block.rows.astype("u1").tobytes(),
            block.counts.astype("<u2").tobytes(),
            pack_integers(block.timestamps_ms),
            _pack_values(block.values),
        ]
    )
    payload = zstd.compress(body, level=_LEVEL)
    return _HEADER.pack(_MAGIC, rows, columns, zlib.crc32(payload)) + payload


def decode_block(raw: bytes) -> Block:
    """Return the block that ``encode_block`` wrote.

    Raises:
        CorruptError: the bytes are damaged or of another format.

    """
    try:
        return _decode_block(raw)
    except (ValueError, IndexError, struct.error, zstd.ZstdError) as error:
        raise CorruptError(str(error)) from error


def encode_log(batch: Batch) -> bytes:
    """Write samples for the log: no compression, only a checksum."""
    payload = b"".join(
        [
            batch.series_ids.astype("<u4").tobytes(),
            batch.timestamps_ms.astype("<i8", copy=False).tobytes(),
            batch.values.astype("<f8", copy=False).tobytes(),
        ]
    )
    return _LOG_HEADER.pack(len(batch), zlib.crc32(payload)) + payload


def decode_log(raw: bytes) -> Batch:
    """Return the samples that ``encode_log`` wrote.

    Raises:
        CorruptError: the bytes are damaged.

    """
    try:
        count, crc = _LOG_HEADER.unpack_from(raw)
        payload = raw[_LOG_HEADER.size :]
        if zlib.crc32(payload) != crc:
            raise CorruptError("checksum of a log row differs")
        cursor = Cursor(payload)
        return Batch(
            series_ids=cursor.take("<u4", count).astype(np.int64),
            timestamps_ms=cursor.take("<i8", count),
            values=cursor.take("<f8", count),
        )
    except (ValueError, struct.error) as error:
        raise CorruptError(str(error)) from error


def _decode_block(raw: bytes) -> Block:
    magic, rows, columns, crc = _HEADER.unpack_from(raw)
    payload = raw[_HEADER.size :]
    if magic != _MAGIC:
        raise CorruptError("not a block of this format")
    if zlib.crc32(payload) != crc:
        raise CorruptError("checksum of a block differs")
    cursor = Cursor(zstd.decompress(payload))
    return Block(
        rows=cursor.take("u1", rows).astype(np.int64),
        counts=cursor.take("<u2", rows).astype(np.int64),
        timestamps_ms=unpack_integers(cursor, rows, columns),
        values=_unpack_values(cursor, rows, columns),
    )


def _pack_values(values: Float64Array) -> bytes:
    places = np.flatnonzero(~np.isfinite(values))
    special = values.reshape(-1)[places].view(np.uint64)
    smooth = _without_specials(values) if len(places) else values
    scales, integers = _scale(smooth)
    scaled = scales != _NOT_SCALED
    return b"".join(
        [
            np.array([len(places)], "<u4").tobytes(),
            pack_planes(np.diff(places, prepend=0).astype("<u4")),
            pack_planes(special.astype("<u8")),
            scales.tobytes(),
            pack_integers(integers[scaled]),
            pack_xor(np.ascontiguousarray(smooth[~scaled]).view(np.uint64)),
        ]
    )


def _unpack_values(cursor: Cursor, rows: int, columns: int) -> Float64Array:
    count = int(cursor.take("<u4", 1)[0])
    places = unpack_planes(cursor, "<u4", count).astype(np.int64).cumsum()
    special = unpack_planes(cursor, "<u8", count)
    scales = cursor.take("u1", rows)
    scaled = scales != _NOT_SCALED
    whole = int(scaled.sum())
    values = np.empty((rows, columns), np.float64)
    integers = unpack_integers(cursor, whole, columns)
    values[rows_where(scaled)] = integers / _POWERS[scales[scaled]][:, None]
    plain = unpack_xor(cursor, rows - whole, columns)
    values[rows_where(~scaled)] = plain.view(np.float64)
    values.view(np.uint64).reshape(-1)[places] = special
    return values


def _without_specials(values: Float64Array) -> Float64Array:
    """Put the previous finite value (else the next, else zero) where one is not finite."""
    finite = np.isfinite(values)
    columns = np.arange(values.shape[1])
    previous = np.maximum.accumulate(np.where(finite, columns, -1), axis=1)
    first = np.where(finite.any(axis=1), finite.argmax(axis=1), 0)
    chosen = np.where(previous < 0, first[:, None], previous)
    filled = np.take_along_axis(values, chosen, axis=1)
    return np.where(np.isfinite(filled), filled, 0.0)


def _scale(values: Float64Array) -> tuple[npt.NDArray[np.uint8], Int64Array]:
    """Find the smallest power of ten that makes a row whole, and exactly comes back."""
    scales = np.full(len(values), _NOT_SCALED, np.uint8)
    integers = np.zeros(values.shape, np.int64)
    todo = np.flatnonzero(~((values == 0) & np.signbit(values)).any(axis=1))
    for exponent, power in enumerate(_POWERS):
        candidates = todo[_is_whole(values[todo, :_PROBE_COLUMNS], power)]
        chosen = candidates[_is_whole(values[candidates], power)]
        scales[chosen] = exponent
        integers[chosen] = np.rint(values[chosen] * power).astype(np.int64)
        todo = todo[~np.isin(todo, chosen, assume_unique=True)]
        if not len(todo):
            break
    return scales, integers


def _is_whole(values: Float64Array, power: float) -> npt.NDArray[np.bool_]:
    with np.errstate(over="ignore", invalid="ignore"):
        whole = np.rint(values * power)
        exact = (whole / power == values) & (np.abs(whole) < _EXACT_LIMIT)
    return np.asarray(exact.all(axis=1), np.bool_)
