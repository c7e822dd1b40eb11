"""Native histograms as bytes: plain in log rows, compressible in blocks. Bit-exact."""

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.doubles import pack_doubles, unpack_doubles
from detectviz.tsdb.histogram_columns import HistogramColumns, layout_size
from detectviz.tsdb.interface import Float64Array, Int64Array
from detectviz.tsdb.planes import Cursor, pack_planes, unpack_planes


def write_histograms(columns: HistogramColumns) -> bytes:
    """Write histograms for the log: arrays as they are."""
    numbers = columns.numbers.astype("<f8", copy=False).tobytes()
    return _head(columns) + numbers


def read_histograms(cursor: Cursor, count: int) -> HistogramColumns:
    """Reverse ``write_histograms``.

    Raises:
        ValueError: the bytes are not what was written.

    """
    layouts, owners, resets = _read_head(cursor, count)
    sizes = np.array([layout_size(layout) for layout in layouts], np.int64)
    numbers = cursor.take("<f8", int(sizes[owners].sum()))
    return HistogramColumns.sliced(layouts=layouts, owners=owners, resets=resets, numbers=numbers)


def pack_histograms(columns: HistogramColumns) -> bytes:
    """Write histograms for a block: of each layout, every bucket is a row of doubles."""
    matrices = [
        pack_doubles(np.ascontiguousarray(columns.matrix(layout).T))
        for layout in range(len(columns.layouts))
    ]
    return b"".join([_head(columns), *matrices])


def unpack_histograms(cursor: Cursor, count: int) -> HistogramColumns:
    """Reverse ``pack_histograms``.

    Raises:
        ValueError: the bytes are not what was written.

    """
    layouts, owners, resets = _read_head(cursor, count)
    sizes = np.array([layout_size(layout) for layout in layouts], np.int64)
    ends = sizes[owners].cumsum()
    numbers = np.empty(int(ends[-1]) if count else 0, np.float64)
    for layout, size in enumerate(sizes.tolist()):
        chosen = np.flatnonzero(owners == layout)
        matrix: Float64Array = unpack_doubles(cursor, size, len(chosen))
        numbers[(ends[chosen] - size)[:, None] + np.arange(size)] = matrix.T
    return HistogramColumns.sliced(layouts=layouts, owners=owners, resets=resets, numbers=numbers)


def _head(columns: HistogramColumns) -> bytes:
    lengths = [len(layout) for layout in columns.layouts]
    return b"".join(
        [
            np.array([len(lengths), *lengths], "<u4").tobytes(),
            *columns.layouts,
            pack_planes(columns.owners.astype("<u4")),
            columns.resets.tobytes(),
        ]
    )


def _read_head(
    cursor: Cursor, count: int
) -> tuple[tuple[bytes, ...], Int64Array, npt.NDArray[np.uint8]]:
    lengths = cursor.take("<u4", int(cursor.take("<u4", 1)[0])).tolist()
    layouts = tuple(cursor.take("u1", length).tobytes() for length in lengths)
    owners = unpack_planes(cursor, "<u4", count).astype(np.int64)
    if count and int(owners.max()) >= len(layouts):
        raise ValueError("a histogram names a layout that is not there")
    return layouts, owners, cursor.take("u1", count)
