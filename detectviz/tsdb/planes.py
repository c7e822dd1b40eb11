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


def pack_planes(array: AnyArray) -> bytes:
    """Write every item's lowest byte first, then the next ones."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(np.uint8).reshape(len(flat), flat.itemsize).T.tobytes()


def unpack_planes(cursor: Cursor, dtype: str, count: int) -> AnyArray:
    """Reverse ``pack_planes``."""
    width = np.dtype(dtype).itemsize
    if width == 1:
        return cursor.take(dtype, count)
    planes = cursor.take("u1", count * width).reshape(width, count)
    return np.ascontiguousarray(planes.T).view(dtype).reshape(-1)


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
    matrix = np.zeros((rows, columns), np.int64)
    for size in _stored_widths(width):
        chosen = width == size
        count = int(chosen.sum())
        flat = unpack_planes(cursor, f"<i{size}", count * columns)
        matrix[rows_where(chosen)] = flat.reshape(count, columns)
    for kind in np.unique(prediction).tolist():
        picked = rows_where(prediction == kind)
        matrix[picked] = _RESTORE[kind](matrix[picked], first[picked], slope[picked])
    return matrix


def rows_where(chosen: npt.NDArray[np.bool_]) -> slice | Int64Array:
    """Return an index for the chosen rows: where it is all of them, one that copies nothing."""
    return slice(None) if chosen.all() else np.flatnonzero(chosen)


def pack_xor(bits: UInt64Array) -> bytes:
    """Write doubles as bits, each row XORed with its previous column."""
    mixed = bits.copy()
    mixed[:, 1:] ^= bits[:, :-1]
    return pack_planes(mixed.astype("<u8"))


def unpack_xor(cursor: Cursor, rows: int, columns: int) -> UInt64Array:
    """Reverse ``pack_xor``."""
    mixed = unpack_planes(cursor, "<u8", rows * columns).reshape(rows, columns)
    return np.bitwise_xor.accumulate(mixed, axis=1).astype(np.uint64, copy=False)


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


def _from_previous(residuals: Int64Array, first: Int64Array, slope: Int64Array) -> Int64Array:
    residuals[:, 0] = first
    return residuals.cumsum(axis=1)


def _from_slope(residuals: Int64Array, first: Int64Array, slope: Int64Array) -> Int64Array:
    residuals[:, 1] = slope
    residuals[:, 1:] = residuals[:, 1:].cumsum(axis=1)
    return _from_previous(residuals, first, slope)


def _from_grid(residuals: Int64Array, first: Int64Array, slope: Int64Array) -> Int64Array:
    columns = residuals.shape[1]
    return residuals + first[:, None] + slope[:, None] * np.arange(columns)


_RESTORE: dict[int, Callable[[Int64Array, Int64Array, Int64Array], Int64Array]] = {
    Prediction.PREVIOUS: _from_previous,
    Prediction.SLOPE: _from_slope,
    Prediction.GRID: _from_grid,
}
