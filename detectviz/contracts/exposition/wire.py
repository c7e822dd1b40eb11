"""Protocol buffers' wire format, as much as expositions need."""

import struct
from collections.abc import Iterator
from typing import Final, TypeAlias

from detectviz.contracts.exposition.result import ExpositionError

# Number, wire type and value of a field: an int, the 8 or 4 raw bytes of a fixed one, or bytes.
Field: TypeAlias = tuple[int, int, int | bytes]

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
_LONGEST_VARINT: Final = 10
_DOUBLE: Final = struct.Struct("<d")


def read_varint(data: bytes, place: int) -> tuple[int, int]:
    """Return the number at ``place`` and where it ends."""
    number = shift = 0
    for end in range(place, min(len(data), place + _LONGEST_VARINT)):
        byte = data[end]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return number & 0xFFFFFFFFFFFFFFFF, end + 1
        shift += 7
    raise ExpositionError(f"protobuf: a number is cut off at byte {place}")


def fields(data: bytes) -> Iterator[Field]:
    """Yield the fields of a message; raise ExpositionError where it is cut off."""
    place, end = 0, len(data)
    while place < end:
        key, place = read_varint(data, place)
        wire_type = key & 7
        if wire_type == VARINT:
            value: int | bytes
            value, place = read_varint(data, place)
        else:
            if wire_type == BYTES:
                length, place = read_varint(data, place)
            elif wire_type in {FIXED64, FIXED32}:
                length = 8 if wire_type == FIXED64 else 4
            else:
                raise ExpositionError(f"protobuf: unknown wire type {wire_type}")
            value = data[place : place + length]
            if len(value) != length:
                raise ExpositionError(f"protobuf: a field is cut off at byte {place}")
            place += length
        yield key >> 3, wire_type, value


def messages(data: bytes) -> Iterator[bytes]:
    """Yield messages that are each preceded by their length."""
    place = 0
    while place < len(data):
        length, place = read_varint(data, place)
        message = data[place : place + length]
        if len(message) != length:
            raise ExpositionError(f"protobuf: a message is cut off at byte {place}")
        yield message
        place += length


def as_bytes(value: int | bytes) -> bytes:
    """Return the value of a field that must hold bytes."""
    if isinstance(value, int):
        raise ExpositionError("protobuf: expected bytes, found a number")
    return value


def as_text(value: int | bytes) -> str:
    """Return the value of a text field."""
    try:
        return as_bytes(value).decode()
    except UnicodeDecodeError as error:
        raise ExpositionError("protobuf: a text is not UTF-8") from error


def as_int(value: int | bytes) -> int:
    """Return the value of a varint field."""
    if not isinstance(value, int):
        raise ExpositionError("protobuf: expected a number, found bytes")
    return value


def as_signed(value: int | bytes) -> int:
    """Return the value of an int64 or int32 field."""
    number = as_int(value)
    return number - (1 << 64) if number >= 1 << 63 else number


def as_double(value: int | bytes) -> float:
    """Return the value of a double field."""
    raw = as_bytes(value)
    if len(raw) != _DOUBLE.size:
        raise ExpositionError("protobuf: expected a double")
    number: float = _DOUBLE.unpack(raw)[0]
    return number


def zigzag(number: int) -> int:
    """Return what a sint32 or sint64 means."""
    return (number >> 1) ^ -(number & 1)


def packed_ints(wire_type: int, value: int | bytes) -> list[int]:
    """Return the numbers of one occurrence of a repeated varint field, packed or not."""
    if wire_type == VARINT:
        return [as_int(value)]
    data, place, found = as_bytes(value), 0, []
    while place < len(data):
        number, place = read_varint(data, place)
        found.append(number)
    return found


def packed_doubles(wire_type: int, value: int | bytes) -> list[float]:
    """Return the numbers of one occurrence of a repeated double field, packed or not."""
    raw = as_bytes(value)
    if len(raw) % _DOUBLE.size:
        raise ExpositionError("protobuf: expected doubles")
    return [number for (number,) in _DOUBLE.iter_unpack(raw)]
