"""Samples of remote write series messages, many at a time.

Nearly every series message ends (1.0) or goes on after its labels (2.0) with one sample in one of
a few exact shapes. Those are found and read with numpy for all series of a request at once; what
looks otherwise is left to a walk through the message.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.interface import Float64Array, Int64Array

Words = npt.NDArray[np.uint64]

_TIME_BYTES = 6  # of a varint of milliseconds between the years 2004 and 2527
_HIGH_BITS = np.uint64(0x8080_8080_8080)
_ALL_BUT_LAST = np.uint64(0x0080_8080_8080)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One way to write a sample: its first three bytes, and what follows them."""

    head: int  # tag, length and tag of the first field, as a little-endian number
    size: int
    has_value: bool
    has_start: bool = False


FULL = Shape(head=0x091012, size=18, has_value=True)
ZERO = Shape(head=0x100712, size=9, has_value=False)  # proto3 leaves out a value of 0
FULL_START = Shape(head=0x091712, size=25, has_value=True, has_start=True)
ZERO_START = Shape(head=0x100E12, size=16, has_value=False, has_start=True)


class Windows:
    """A body as overlapping little-endian words, padded so that each place has one."""

    def __init__(self, data: bytes) -> None:
        padded = b"\0" * 32 + data + b"\0" * 32
        size = len(padded) - 7
        self._words = np.ndarray((size,), dtype="<u8", buffer=padded, strides=(1,))
        self._doubles = np.ndarray((size,), dtype="<f8", buffer=padded, strides=(1,))

    def words(self, places: Int64Array) -> Words:
        """Return the eight bytes from each place on."""
        found: Words = self._words[places + 32]
        return found

    def doubles(self, places: Int64Array) -> Float64Array:
        """Return the double at each place."""
        found: Float64Array = self._doubles[places + 32]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Samples in a shape: the places of their messages in the columns asked about."""

    rows: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    starts_ms: Int64Array | None


def samples_at(windows: Windows, shape: Shape, places: Int64Array) -> Found:
    """Read the samples that have ``shape`` at ``places``; the rest is left out."""
    rows = np.flatnonzero((windows.words(places) & np.uint64(0xFFFFFF)) == np.uint64(shape.head))
    at = places[rows]
    time_at = at + (11 if shape.has_value else 2)
    times, fits = _times(windows, time_at, 0x10)
    starts = None
    if shape.has_start:
        starts, also = _times(windows, time_at + 1 + _TIME_BYTES, 0x18)
        fits &= also
    if not fits.all():
        rows, at, times = rows[fits], at[fits], times[fits]
        starts = None if starts is None else starts[fits]
    values = windows.doubles(at + 3) if shape.has_value else np.zeros(len(rows))
    return Found(rows=rows, timestamps_ms=times, values=values, starts_ms=starts)


def _times(
    windows: Windows, places: Int64Array, tag: int
) -> tuple[Int64Array, npt.NDArray[np.bool_]]:
    """Return the six-byte varints behind a tag, and where there really is one."""
    words = windows.words(places)
    fits = (words & np.uint64(0xFF)) == np.uint64(tag)
    digits = (words >> np.uint64(8)) & np.uint64(0xFFFF_FFFF_FFFF)
    fits &= (digits & _HIGH_BITS) == _ALL_BUT_LAST
    times = np.zeros(len(words), np.uint64)
    for step in range(_TIME_BYTES):
        low = (digits >> np.uint64(8 * step)) & np.uint64(0x7F)
        times |= low << np.uint64(7 * step)
    return times.astype(np.int64), fits
