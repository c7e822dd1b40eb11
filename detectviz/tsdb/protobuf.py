"""Protocol buffers' wire format, as much of it as the Prometheus protocols need.

Source: https://protobuf.dev/programming-guides/encoding/
"""

import struct
from collections.abc import Iterator
from functools import lru_cache

VARINT = 0
FIXED64 = 1
LENGTH_DELIMITED = 2
FIXED32 = 5

_DOUBLE = struct.Struct("<d")
_MORE = 0x80
_LOW = 0x7F
_SIGN = 1 << 63
_UNSIGNED_64 = (1 << 64) - 1
_WIRE_TYPE = 0x07


class MalformedError(ValueError):
    """Bytes that are no message of the expected kind."""


@lru_cache(maxsize=65_536)  # lengths and times repeat
def varint(value: int) -> bytes:
    """Encode an integer; a negative one as its two's complement of 64 bits."""
    value &= _UNSIGNED_64
    encoded = bytearray()
    while value > _LOW:
        encoded.append(value & _LOW | _MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def zigzag(value: int) -> int:
    """Map a signed integer to the unsigned one that ``sint`` fields carry."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def unzigzag(value: int) -> int:
    """Reverse ``zigzag``."""
    return (value >> 1) ^ -(value & 1)


def message(number: int, content: bytes) -> bytes:
    """Encode a field whose content is bytes: a message, a string, packed numbers."""
    return varint(number << 3 | LENGTH_DELIMITED) + varint(len(content)) + content


def integer(number: int, value: int) -> bytes:
    """Encode an integer field; nothing for zero, which is what a missing one means."""
    return varint(number << 3 | VARINT) + varint(value) if value else b""


def double(number: int, value: float) -> bytes:
    """Encode a double field, zeros as well: within a oneof they say something."""
    return varint(number << 3 | FIXED64) + _DOUBLE.pack(value)


def packed_doubles(number: int, values: tuple[float, ...]) -> bytes:
    """Encode a repeated double field; nothing when there are none."""
    return message(number, struct.pack(f"<{len(values)}d", *values)) if values else b""


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the unsigned integer at ``at`` and the place behind it."""
    value = shift = 0
    try:
        while True:
            byte = data[at]
            at += 1
            value |= (byte & _LOW) << shift
            if byte < _MORE:
                return value, at
            shift += 7
    except IndexError:
        raise MalformedError("a number is cut off") from None


def signed(value: int) -> int:
    """Read an unsigned integer of 64 bits as two's complement."""
    return value - (_SIGN << 1) if value & _SIGN else value


def fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int]]:
    """Yield (field number, from, to) of the fields of a message.

    The bounds are those of the content of a length-delimited field; of the bytes of a fixed one;
    for a varint, ``from`` is its value and ``to`` is -1.

    Raises:
        MalformedError: the bytes end within a field, or a wire type is not known.

    """
    at, end = start, len(data) if end is None else end
    while at < end:
        tag, at = read_varint(data, at)
        kind = tag & _WIRE_TYPE
        if kind == VARINT:
            value, at = read_varint(data, at)
            yield tag >> 3, value, -1
            continue
        if kind == LENGTH_DELIMITED:
            size, at = read_varint(data, at)
        elif kind in {FIXED64, FIXED32}:
            size = 8 if kind == FIXED64 else 4
        else:
            raise MalformedError(f"wire type {kind} is not known")
        if at + size > end:
            raise MalformedError("a field is cut off")
        yield tag >> 3, at, at + size
        at += size


def read_double(data: bytes, at: int) -> float:
    """Return the double at ``at``."""
    value: float = _DOUBLE.unpack_from(data, at)[0]
    return value


def read_doubles(data: bytes, start: int, end: int) -> tuple[float, ...]:
    """Return packed doubles."""
    if (end - start) % 8:
        raise MalformedError("packed doubles are cut off")
    return struct.unpack_from(f"<{(end - start) // 8}d", data, start)


def read_packed(data: bytes, start: int, end: int) -> Iterator[int]:
    """Yield packed unsigned integers."""
    at = start
    while at < end:
        value, at = read_varint(data, at)
        yield value
