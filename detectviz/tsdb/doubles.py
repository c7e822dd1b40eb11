"""Matrices of doubles as bytes, one row a series. Bit-exact.

Values that are whole numbers after multiplication with a power of ten are stored as integers when
the way back is exact; others as XORed doubles; NaN, infinities and stale markers in a list of
exceptions, so that they do not spoil their row.
"""

import numpy as np
import numpy.typing as npt

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

_POWERS = 10.0 ** np.arange(7)
_NOT_SCALED = 255
_EXACT_LIMIT = 2.0**53
_PROBE_COLUMNS = 8


def pack_doubles(values: Float64Array) -> bytes:
    """Write a matrix of any doubles."""
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


def unpack_doubles(cursor: Cursor, rows: int, columns: int) -> Float64Array:
    """Reverse ``pack_doubles``."""
    count = int(cursor.take("<u4", 1)[0])
    places = unpack_planes(cursor, "<u4", count).astype(np.int64).cumsum()
    special = unpack_planes(cursor, "<u8", count)
    scales = cursor.take("u1", rows)
    scaled = scales != _NOT_SCALED
    whole = int(scaled.sum())
    integers = unpack_integers(cursor, whole, columns)
    plain = unpack_xor(cursor, rows - whole, columns).view(np.float64)
    if not whole:
        values = plain
    elif whole == rows:
        values = _unscaled(integers, scales)
    else:
        values = np.empty((rows, columns), np.float64)
        values[rows_where(scaled)] = _unscaled(integers, scales[scaled])
        values[rows_where(~scaled)] = plain
    if count:
        values.view(np.uint64).reshape(-1)[places] = special
    return values


def _unscaled(integers: Int64Array, scales: npt.NDArray[np.uint8]) -> Float64Array:
    values = np.empty(integers.shape, np.float64)
    if scales.any():
        np.divide(integers, _POWERS[scales][:, None], out=values)
    else:
        values[:] = integers
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
