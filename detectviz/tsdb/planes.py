"""Matrices as residuals in byte planes: small, exactly invertible, and quick for numpy.

A row of integers becomes what is left after a prediction (the previous value, the previous
slope, or an even grid), held in as few bytes as the row needs. Bytes of equal weight lie
together, so that a general compressor finds the runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.interface import Int64Array

AnyArray: TypeAlias = npt.NDArray[Any]
UInt64Array: TypeAlias = npt.NDArray[np.uint64]

_WIDTHS = (0, 1, 2, 4, 8)
LINEAR_COLUMNS = 2  # a slope needs two columns


class Prediction(IntEnum):
    """How a cell is guessed before the difference is stored."""

    PREVIOUS = 1
    SLOPE = 2
    GRID = 3


class Cursor:
    """Reads arrays from a buffer one after the other."""

    def __init__(self, raw: bytes | memoryview) -> None:
        self._raw = raw
        self._offset = 0

    def take(self, dtype: str, count: int) -> AnyArray:
        """Return the next ``count`` items, little-endian, read-only.

        Raises:
            ValueError: the buffer ends before them.

        """
        taken = np.frombuffer(self._raw, dtype, count, self._offset)
        self._offset += taken.nbytes
        return taken

    def finish(self) -> None:
        """Insist that nothing is left.

        Raises:
            ValueError: something is.

        """
        if self._offset != len(self._raw):
            raise ValueError(f"{len(self._raw) - self._offset} bytes too many")


def pack_planes(array: AnyArray) -> bytes:
    """Write every item's lowest byte first, then the next ones."""
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.itemsize == 1:
        return flat.tobytes()
    items = flat.view(np.uint8).reshape(len(flat), flat.itemsize)
    planes = np.empty(items.shape[::-1], np.uint8)
    for weight in range(flat.itemsize):  # a plane at a time is several times quicker than .T
        planes[weight] = items[:, weight]
    return planes.tobytes()


def unpack_planes(cursor: Cursor, dtype: str, count: int) -> AnyArray:
    """Reverse ``pack_planes``."""
    width = int(dtype[-1])
    if width == 1:
        return cursor.take(dtype, count)
    planes = cursor.take("u1", count * width).reshape(width, count)
    items = np.empty((count, width), np.uint8)
    for weight in range(width):
        items[:, weight] = planes[weight]
    return items.view(dtype).reshape(-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    prediction: npt.NDArray[np.uint8]
    width: npt.NDArray[np.uint8]
    first: Int64Array
    slope: Int64Array
    residuals: Int64Array


def pack_integers(matrix: Int64Array) -> bytes:
    """Write a matrix of integers below 2**53, one prediction and width per row."""
    prepared = _prepare(matrix)
    head = [
        prepared.prediction.tobytes(),
        prepared.width.tobytes(),
        pack_planes(prepared.first.astype("<i8")),
        pack_planes(prepared.slope.astype("<i8")),
    ]
    body = [
        pack_planes(prepared.residuals[prepared.width == width].astype(f"<i{width}"))
        for width in _stored_widths(prepared.width)
    ]
    return b"".join(head + body)


def unpack_integers(cursor: Cursor, rows: int, columns: int) -> Int64Array:
    """Reverse ``pack_integers``."""
    prediction = cursor.take("u1", rows)
    width = cursor.take("u1", rows)
    first = unpack_planes(cursor, "<i8", rows)
    slope = unpack_planes(cursor, "<i8", rows)
    if not np.isin(width, _WIDTHS).all():
        raise ValueError("integers of an unknown width")
    matrix = np.empty((rows, columns), np.int64)
    for size in np.unique(width).tolist():
        at = np.flatnonzero(width == size)
        stored = unpack_planes(cursor, f"<i{size}", len(at) * columns) if size else None
        residuals = None if stored is None else stored.reshape(len(at), columns)
        for kind in np.unique(prediction[at]).tolist():
            of_kind = prediction[at] == kind
            picked = rows_at(at[of_kind])
            left = None if residuals is None else residuals[rows_where(of_kind)]
            if isinstance(picked, slice):
                _RESTORE[kind](left, first[picked], slope[picked], matrix[picked])
            else:
                restored = np.empty((len(picked), columns), np.int64)
                _RESTORE[kind](left, first[picked], slope[picked], restored)
                matrix[picked] = restored
    return matrix


def rows_where(chosen: npt.NDArray[np.bool_]) -> slice | Int64Array:
    """Return an index for the chosen rows: where they are neighbours, one that copies nothing."""
    return rows_at(np.flatnonzero(chosen))


def rows_at(places: Int64Array) -> slice | Int64Array:
    """Return an index for rows in ascending order, as ``rows_where`` does."""
    if not len(places):
        return slice(0, 0)
    start, stop = int(places[0]), int(places[-1]) + 1
    return slice(start, stop) if stop - start == len(places) else places


def pack_xor(bits: UInt64Array) -> bytes:
    """Write doubles as bits, each row XORed with its previous column."""
    mixed = bits.copy()
    mixed[:, 1:] ^= bits[:, :-1]
    return pack_planes(mixed.astype("<u8"))


def unpack_xor(cursor: Cursor, rows: int, columns: int) -> UInt64Array:
    """Reverse ``pack_xor``."""
    mixed = unpack_planes(cursor, "<u8", rows * columns).reshape(rows, columns)
    bits: UInt64Array = np.bitwise_xor.accumulate(mixed, axis=1, out=mixed)
    return bits


def _prepare(matrix: Int64Array) -> _Prepared:
    rows, columns = matrix.shape
    first = matrix[:, 0].copy()
    step = np.diff(matrix, axis=1, prepend=matrix[:, :1])
    prediction = np.full(rows, Prediction.PREVIOUS, np.uint8)
    slope = np.zeros(rows, np.int64)
    residuals = step
    if columns > LINEAR_COLUMNS:
        choices = {
            Prediction.SLOPE: (step[:, 1], _slope_residuals(step)),
            Prediction.GRID: _grid(matrix),
        }
        cost = np.abs(residuals).sum(axis=1, dtype=np.float64)
        residuals = residuals.copy()
        for kind, (guess, left) in choices.items():
            left_cost = np.abs(left).sum(axis=1, dtype=np.float64)
            better = left_cost < cost
            prediction[better], slope[better] = kind, guess[better]
            residuals[better], cost[better] = left[better], left_cost[better]
    return _Prepared(
        prediction=prediction,
        width=_widths(residuals),
        first=first,
        slope=slope,
        residuals=residuals,
    )


def _slope_residuals(step: Int64Array) -> Int64Array:
    left = np.zeros_like(step)
    left[:, 2:] = np.diff(step[:, 1:], axis=1)
    return left


def _grid(matrix: Int64Array) -> tuple[Int64Array, Int64Array]:
    columns = matrix.shape[1]
    interval = np.rint((matrix[:, -1] - matrix[:, 0]) / (columns - 1)).astype(np.int64)
    ideal = matrix[:, :1] + interval[:, None] * np.arange(columns)
    return interval, matrix - ideal


def _widths(residuals: Int64Array) -> npt.NDArray[np.uint8]:
    largest = np.abs(residuals).max(axis=1, initial=0)
    bounds = [largest == 0, largest < 1 << 7, largest < 1 << 15, largest < 1 << 31]
    return np.select(bounds, [0, 1, 2, 4], 8).astype(np.uint8)


def _stored_widths(width: npt.NDArray[np.uint8]) -> list[int]:
    return [int(size) for size in np.unique(width) if size]


def _from_previous(
    residuals: AnyArray | None, first: Int64Array, slope: Int64Array, out: Int64Array
) -> None:
    if residuals is None:
        out[:] = first[:, None]
    else:
        np.cumsum(residuals, axis=1, out=out)  # the first column is never a residual
        out += first[:, None]


def _from_slope(
    residuals: AnyArray | None, first: Int64Array, slope: Int64Array, out: Int64Array
) -> None:
    if residuals is None:
        out[:] = slope[:, None]
    else:
        np.cumsum(residuals, axis=1, out=out)
        out += slope[:, None]
    out[:, 0] = first
    np.cumsum(out, axis=1, out=out)


def _from_grid(
    residuals: AnyArray | None, first: Int64Array, slope: Int64Array, out: Int64Array
) -> None:
    columns = np.arange(out.shape[1])
    if (slope == slope[0]).all():
        np.add(first[:, None], slope[0] * columns, out=out)
    else:
        np.multiply(slope[:, None], columns, out=out)
        out += first[:, None]
    if residuals is not None:
        out += residuals


# What is left of rows (None: nothing), their first values and slopes, and where to put the rows.
_Restore: TypeAlias = Callable[[AnyArray | None, Int64Array, Int64Array, Int64Array], None]
_RESTORE: dict[int, _Restore] = {
    Prediction.PREVIOUS: _from_previous,
    Prediction.SLOPE: _from_slope,
    Prediction.GRID: _from_grid,
}
