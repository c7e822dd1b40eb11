"""The protobuf wire format, as far as reading goes.

Source: protobuf.dev, "Encoding". Everything works on one ``bytes`` and spans in it, so that
nothing is copied before it is known to be needed.
"""

import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from detectviz.ingest.errors import MalformedError

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10

_MORE = 0x80
_LOW = 0x7F
_SIGN = 1 << 63
_DOUBLE = struct.Struct("<d")


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the unsigned number at ``at`` and the place behind it."""
    value = shift = 0
    for place in range(at, min(at + LONGEST_VARINT, len(data))):
        byte = data[place]
        value |= (byte & _LOW) << shift
        if byte < _MORE:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place + 1
        shift += 7
    raise MalformedError("the protobuf message is cut off or damaged")


def fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (number << 3 | wire type, first, behind) for each field of a message.

    For length-delimited and fixed fields ``first`` and ``behind`` are the span of the content; for
    varints ``first`` is the number itself and ``behind`` is unused.
    """
    at = start
    while at < end:
        tag, at = read_varint(data, at)
        kind = tag & 7
        if kind == DELIMITED:
            length, at = read_varint(data, at)
            behind = at + length
            yield _checked(tag, at, behind, end)
        elif kind == VARINT:
            number, behind = read_varint(data, at)
            _checked(tag, at, behind, end)
            yield tag, number, behind
        elif kind in (FIXED64, FIXED32):
            behind = at + (8 if kind == FIXED64 else 4)
            yield _checked(tag, at, behind, end)
        else:
            raise MalformedError(f"protobuf wire type {kind} is unknown")
        at = behind


def _checked(tag: int, at: int, behind: int, end: int) -> tuple[int, int, int]:
    if behind > end or tag >> 3 == 0:
        raise MalformedError("the protobuf message is cut off or damaged")
    return tag, at, behind


def double(data: bytes, at: int) -> float:
    """Return the double at ``at``."""
    return float(_DOUBLE.unpack_from(data, at)[0])


def doubles(data: bytes, start: int, end: int) -> tuple[float, ...]:
    """Return packed doubles."""
    if (end - start) % 8:
        raise MalformedError("a list of doubles is cut off")
    return struct.unpack_from(f"<{(end - start) // 8}d", data, start)


def varints(data: bytes, start: int, end: int) -> list[int]:
    """Return packed unsigned numbers."""
    found, at = [], start
    while at < end:
        number, at = read_varint(data, at)
        found.append(number)
    if at != end:
        raise MalformedError("a list of numbers is cut off")
    return found


def signed(number: int) -> int:
    """Return a varint as the int64 it stands for."""
    return number - (_SIGN << 1) if number & _SIGN else number


def zigzag(number: int) -> int:
    """Return a varint as the sint64 it stands for."""
    return number >> 1 ^ -(number & 1)


def text(data: bytes, start: int, end: int) -> str:
    """Return a string field."""
    try:
        return data[start:end].decode()
    except UnicodeDecodeError as error:
        raise MalformedError("a text is not valid UTF-8") from error


def messages(data: bytes, tag: int) -> tuple[list[int], list[int], list[tuple[int, int, int]]]:
    """Split a message whose fields are nearly all of one length-delimited ``tag`` (one byte).

    Return where those begin and end, and every other field as ``fields`` would yield it.
    """
    starts: list[int] = []
    ends: list[int] = []
    others: list[tuple[int, int, int]] = []
    at, end = 0, len(data)
    try:
        while at < end:
            if data[at] != tag:
                field, at = _one_field(data, at)
                others.append(field)
                continue
            length = data[at + 1]
            if length < _MORE:
                at += 2
            else:
                high = data[at + 2]
                if high < _MORE:
                    length += (high << 7) - _MORE
                    at += 3
                else:
                    length, at = read_varint(data, at + 1)
            starts.append(at)
            at += length
            ends.append(at)
    except IndexError:
        at = end + 1
    if at != end:
        raise MalformedError("the protobuf message is cut off or damaged")
    return starts, ends, others


def _one_field(data: bytes, at: int) -> tuple[tuple[int, int, int], int]:
    field = next(fields(data, at, len(data)))
    return field, field[2]


def varint_column(data: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Decode concatenated varints below 2^35; return them and where each one ends in ``data``."""
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw < _MORE) + 1
    if not len(raw):
        return np.zeros(0, np.int64), ends
    if raw[-1] >= _MORE:
        raise MalformedError("a list of numbers is cut off")
    starts = np.concatenate(([0], ends[:-1]))
    widths = ends - starts
    longest = int(widths.max())
    if longest > 5:  # noqa: PLR2004 - a uint32 takes five bytes at most
        raise MalformedError("a reference is larger than 32 bits")
    found = raw[starts].astype(np.int64) & _LOW
    for step in range(1, longest):
        wider = widths > step
        found[wider] |= (raw[starts[wider] + step].astype(np.int64) & _LOW) << (7 * step)
    return found, ends
