"""What lies in the database: compressed column blocks, and plain log rows. All bit-exact.

A block holds some series of one part (rows) over a stretch of time (columns). Rows are packed to
the left: row ``i`` has ``counts[i]`` samples, and repeats its last one up to the right edge, which
costs nothing once compressed.

Blocks and log rows without histograms and start times are of the first format; those with some
of the second, which appends them to the same body. In memory, the value of a sample that is a
histogram is its fingerprint (``HistogramColumns.fingerprints``), so that it compares as a value.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntFlag

import numpy as np
import numpy.typing as npt
from backports import zstd

from detectviz.tsdb.doubles import pack_doubles, unpack_doubles
from detectviz.tsdb.histogram_codec import (
    pack_histograms,
    read_histograms,
    unpack_histograms,
    write_histograms,
)
from detectviz.tsdb.histogram_columns import HistogramColumns
from detectviz.tsdb.interface import Float64Array, HistogramArray, Int64Array
from detectviz.tsdb.optional_columns import Chosen, is_histogram, joined, picked
from detectviz.tsdb.planes import Cursor, pack_integers, unpack_integers

MAX_ROWS = 64
MAX_COLUMNS = 480

_MAGIC = b"DVB1"
_MAGIC_2 = b"DVB2"
_HEADER = struct.Struct("<4sHHI")  # magic, rows, columns, CRC-32 of what follows (2: and of these)
_LOG_HEADER = struct.Struct("<II")  # samples, CRC-32 of what follows
_LOG_MAGIC_2 = b"DVL2"  # as a number of samples it would be more than a row can hold
_LOG_HEADER_2 = struct.Struct("<4sBII")  # magic, extras, samples, CRC-32 of these and what follows
_LEVEL = 3


_DAMAGE = (ValueError, LookupError, OverflowError, struct.error, zstd.ZstdError)


class _Extras(IntFlag):
    """What a block or log row of the second format has besides values."""

    STARTS = 1
    HISTOGRAMS = 2


class CorruptError(Exception):
    """Stored bytes are not what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Samples of several series of one part.

    ``rows`` are the series' places in the part, ascending; ``timestamps_ms`` and ``values`` have
    shape (rows, columns); only the first ``counts[i]`` columns of row ``i`` mean anything.
    ``start_times_ms`` has that shape too, if any sample has one; so has ``histogram_at``, if any
    sample is one: its place in ``histograms``, or -1.
    """

    rows: Int64Array
    counts: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    start_times_ms: Int64Array | None = None
    histograms: HistogramColumns | None = None
    histogram_at: Int64Array | None = None

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        size = self.timestamps_ms.nbytes + self.values.nbytes
        if self.start_times_ms is not None:
            size += self.start_times_ms.nbytes
        if self.histograms is not None and self.histogram_at is not None:
            size += self.histograms.nbytes + self.histogram_at.nbytes
        return int(size)

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Say which cells mean something."""
        return np.arange(self.values.shape[1]) < self.counts[:, None]

    def histograms_where(self, chosen: npt.NDArray[np.bool_]) -> HistogramArray | None:
        """Return the histograms of the chosen cells, row after row, None for a float's cell.

        None when there are no histograms at all.
        """
        if self.histogram_at is None:
            return None
        return self.histograms_at(self.histogram_at[chosen])

    def histograms_at(self, places: Int64Array) -> HistogramArray | None:
        """Return the histograms at places that ``histogram_at`` gives, None at -1."""
        if self.histograms is None:
            return None
        found = np.full(len(places), None, np.object_)
        found[places >= 0] = self.histograms.take(places[places >= 0])
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Samples in the order they came: parallel arrays, the last two if any sample has such."""

    series_ids: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    histograms: HistogramArray | None = None
    start_times_ms: Int64Array | None = None

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.series_ids)

    def take(self, chosen: Chosen) -> "Batch":
        """Return the chosen samples."""
        return Batch(
            series_ids=self.series_ids[chosen],
            timestamps_ms=self.timestamps_ms[chosen],
            values=self.values[chosen],
            histograms=picked(self.histograms, chosen),
            start_times_ms=picked(self.start_times_ms, chosen),
        )


def join(batches: Sequence[Batch]) -> Batch:
    """Return the samples of all batches, one after the other."""
    sizes = [len(batch) for batch in batches]
    empty = np.empty(0, np.int64)
    return Batch(
        series_ids=np.concatenate([empty, *(batch.series_ids for batch in batches)]),
        timestamps_ms=np.concatenate([empty, *(batch.timestamps_ms for batch in batches)]),
        values=np.concatenate([np.empty(0), *(batch.values for batch in batches)]),
        histograms=joined([batch.histograms for batch in batches], sizes, None),
        start_times_ms=joined([batch.start_times_ms for batch in batches], sizes, 0),
    )


def block_from_flat(
    rows: Int64Array,
    counts: Int64Array,
    timestamps_ms: Int64Array,
    values: Float64Array,
    *,
    histograms: HistogramArray | None = None,
    start_times_ms: Int64Array | None = None,
) -> Block:
    """Lay samples that come row after row into a padded block. Every count is at least one."""
    columns = int(counts.max())
    starts = np.cumsum(counts) - counts
    index = starts[:, None] + np.minimum(np.arange(columns), counts[:, None] - 1)
    block = Block(
        rows=rows,
        counts=counts,
        timestamps_ms=timestamps_ms[index],
        values=values[index],
        start_times_ms=picked(start_times_ms, index),
    )
    return block if histograms is None else _with_histograms(block, histograms)


def encode_block(block: Block) -> bytes:
    """Compress a block of at most 64 rows and 480 columns."""
    rows, columns = block.values.shape
    extras = _extras_of(block)
    values = (
        block.values if block.histogram_at is None else _plain_values(block, block.histogram_at)
    )
    body = b"".join(
        [
            block.rows.astype("u1").tobytes(),
            block.counts.astype("<u2").tobytes(),
            pack_integers(block.timestamps_ms),
            pack_doubles(values),
            *_block_extras(block, extras),
        ]
    )
    payload = zstd.compress(body, level=_LEVEL)
    if not extras:
        return _HEADER.pack(_MAGIC, rows, columns, zlib.crc32(payload)) + payload
    start = _HEADER.pack(_MAGIC_2, rows, columns, 0)[:-4]
    return start + zlib.crc32(payload, zlib.crc32(start)).to_bytes(4, "little") + payload


def decode_block(raw: bytes) -> Block:
    """Return the block that ``encode_block`` wrote.

    Raises:
        CorruptError: the bytes are damaged or of another format.

    """
    try:
        return _decode_block(raw)
    except _DAMAGE as error:
        raise CorruptError(str(error)) from error


def encode_log(batch: Batch) -> bytes:
    """Write samples for the log: no compression, only a checksum."""
    extras = _extras_of(batch)
    payload = b"".join(
        [
            batch.series_ids.astype("<u4").tobytes(),
            batch.timestamps_ms.astype("<i8", copy=False).tobytes(),
            batch.values.astype("<f8", copy=False).tobytes(),
            *_log_extras(batch, extras),
        ]
    )
    if not extras:
        return _LOG_HEADER.pack(len(batch), zlib.crc32(payload)) + payload
    start = _LOG_HEADER_2.pack(_LOG_MAGIC_2, extras, len(batch), 0)[:-4]
    return start + zlib.crc32(payload, zlib.crc32(start)).to_bytes(4, "little") + payload


def decode_log(raw: bytes) -> Batch:
    """Return the samples that ``encode_log`` wrote.

    Raises:
        CorruptError: the bytes are damaged.

    """
    try:
        if raw[: len(_LOG_MAGIC_2)] == _LOG_MAGIC_2:
            return _decode_log_2(raw)
        count, crc = _LOG_HEADER.unpack_from(raw)
        payload = memoryview(raw)[_LOG_HEADER.size :]
        if zlib.crc32(payload) != crc:
            raise CorruptError("checksum of a log row differs")
        return _log_columns(Cursor(payload), count)
    except _DAMAGE as error:
        raise CorruptError(str(error)) from error


def _decode_log_2(raw: bytes) -> Batch:
    _, flags, count, crc = _LOG_HEADER_2.unpack_from(raw)
    payload = memoryview(raw)[_LOG_HEADER_2.size :]
    if zlib.crc32(payload, zlib.crc32(raw[: _LOG_HEADER_2.size - 4])) != crc:
        raise CorruptError("checksum of a log row differs")
    extras = _Extras(flags)
    cursor = Cursor(payload)
    batch = _log_columns(cursor, count)
    if extras & _Extras.STARTS:
        batch = replace(batch, start_times_ms=cursor.take("<i8", count))
    if extras & _Extras.HISTOGRAMS:
        places = cursor.take("<u4", int(cursor.take("<u4", 1)[0])).astype(np.int64)
        columns = read_histograms(cursor, len(places))
        histograms = np.full(count, None, np.object_)
        histograms[places] = columns.take(np.arange(len(places)))
        batch = replace(batch, histograms=histograms)
    return batch


def _log_columns(cursor: Cursor, count: int) -> Batch:
    return Batch(
        series_ids=cursor.take("<u4", count).astype(np.int64),
        timestamps_ms=cursor.take("<i8", count),
        values=cursor.take("<f8", count),
    )


def _log_extras(batch: Batch, extras: _Extras) -> Iterator[bytes]:
    if extras & _Extras.STARTS and batch.start_times_ms is not None:
        yield batch.start_times_ms.astype("<i8", copy=False).tobytes()
    if extras & _Extras.HISTOGRAMS and batch.histograms is not None:
        places = np.flatnonzero(is_histogram(batch.histograms))
        yield np.array([len(places), *places], "<u4").tobytes()
        yield write_histograms(HistogramColumns.of(batch.histograms[places].tolist()))


def _decode_block(raw: bytes) -> Block:
    magic, rows, columns, crc = _HEADER.unpack_from(raw)
    payload = memoryview(raw)[_HEADER.size :]
    if magic not in {_MAGIC, _MAGIC_2}:
        raise CorruptError("not a block of this format")
    seed = zlib.crc32(raw[: _HEADER.size - 4]) if magic == _MAGIC_2 else 0
    if zlib.crc32(payload, seed) != crc:
        raise CorruptError("checksum of a block differs")
    cursor = Cursor(zstd.decompress(payload))
    block = Block(
        rows=cursor.take("u1", rows).astype(np.int64),
        counts=cursor.take("<u2", rows).astype(np.int64),
        timestamps_ms=unpack_integers(cursor, rows, columns),
        values=unpack_doubles(cursor, rows, columns),
    )
    block = block if magic == _MAGIC else _with_extras(block, cursor)
    cursor.finish()
    return block


def _plain_values(block: Block, histogram_at: Int64Array) -> Float64Array:
    """Put zeros, which cost least, in the place of fingerprints and of their repetitions."""
    ends = histogram_at[np.arange(len(block.rows)), block.counts - 1] >= 0
    return np.where((histogram_at >= 0) | (ends[:, None] & ~block.filled), 0.0, block.values)


def _block_extras(block: Block, extras: _Extras) -> Iterator[bytes]:
    if not extras:
        return
    yield bytes([extras])
    if block.start_times_ms is not None and extras & _Extras.STARTS:
        yield pack_integers(block.start_times_ms)
    if block.histograms is not None and block.histogram_at is not None:
        yield np.packbits(block.histogram_at >= 0).tobytes()
        yield pack_histograms(block.histograms)


def _with_extras(block: Block, cursor: Cursor) -> Block:
    rows, columns = block.values.shape
    extras = _Extras(int(cursor.take("u1", 1)[0]))
    if extras & _Extras.STARTS:
        block = replace(block, start_times_ms=unpack_integers(cursor, rows, columns))
    if not extras & _Extras.HISTOGRAMS:
        return block
    packed = cursor.take("u1", -(-rows * columns // 8))
    mask = np.unpackbits(packed, count=rows * columns).astype(np.bool_).reshape(rows, columns)
    return _placed(block, mask, unpack_histograms(cursor, int(mask.sum())))


def _with_histograms(block: Block, histograms: HistogramArray) -> Block:
    chosen = is_histogram(histograms)
    mask = np.zeros(block.values.shape, np.bool_)
    mask[block.filled] = chosen
    if not chosen.any():
        return block
    return _placed(block, mask, HistogramColumns.of(histograms[chosen].tolist()))


def _placed(block: Block, mask: npt.NDArray[np.bool_], columns: HistogramColumns) -> Block:
    """Put histograms, which come in the order of the cells, into a block."""
    histogram_at = np.full(mask.shape, -1, np.int64)
    histogram_at[mask] = np.arange(len(columns))
    values = block.values.copy()
    values[mask] = columns.fingerprints()
    return replace(block, values=values, histograms=columns, histogram_at=histogram_at)


def _extras_of(columns: Block | Batch) -> _Extras:
    extras = _Extras(0)
    if columns.start_times_ms is not None and columns.start_times_ms.any():
        extras |= _Extras.STARTS
    histograms = columns.histograms
    if isinstance(histograms, HistogramColumns) or (
        histograms is not None and is_histogram(histograms).any()
    ):
        extras |= _Extras.HISTOGRAMS
    return extras
