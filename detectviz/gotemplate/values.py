"""The values templates work on, and how Go sees them: truth, type names, text."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from detectviz.gotemplate.errors import FunctionError

Scalar: TypeAlias = bool | int | float | str | None
Value: TypeAlias = Scalar | Sequence["Value"] | Mapping[str, "Value"]

LARGEST_TEXT = 65_536
DEEPEST_VALUE = 30
_LARGEST_PLAIN_EXPONENT = 6
_SMALLEST_PLAIN_EXPONENT = -4


class Struct(dict[str, Value]):
    """A mapping whose keys are all there is: asking for another is an error, not empty text."""


class Shown(Struct):
    """A struct that prints as its ``text``, as a Go type with a String method does."""

    def __init__(self, fields: Mapping[str, Value], text: str) -> None:
        super().__init__(fields)
        self.text = text


def is_true(value: Value) -> bool:
    """Return whether ``if`` takes the value as true: not zero, not empty, not nil."""
    if isinstance(value, Struct):
        return True
    return bool(value)


def type_name(value: Value) -> str:
    """Return the name Go has for the value's type."""
    names: list[tuple[type, str]] = [
        (bool, "bool"),
        (int, "int"),
        (float, "float64"),
        (str, "string"),
        (Mapping, "map[string]string"),
        (Sequence, "[]string"),
    ]
    for kind, name in names:
        if isinstance(value, kind):
            return name
    return "<nil>"


def format_float(value: float) -> str:
    """Return the shortest text of a number, as Go's ``%v`` prints a float64: ``1e+06``."""
    if not math.isfinite(value):
        return format_special(value)
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    point = len(digits) + exponent - 1
    text = "".join(map(str, digits))
    mark = "-" if sign else ""
    if point < _SMALLEST_PLAIN_EXPONENT or point >= _LARGEST_PLAIN_EXPONENT:
        fraction = f".{text[1:]}" if len(text) > 1 else ""
        return f"{mark}{text[0]}{fraction}e{'-' if point < 0 else '+'}{abs(point):02d}"
    return mark + format(Decimal(repr(abs(value))).normalize(), "f")


def format_special(value: float) -> str:
    """Return Go's text of NaN or an infinity."""
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"


def to_text(value: Value) -> str:
    """Return the value as Go's ``%v`` prints it; maps in order of their keys.

    Raise FunctionError when the text would grow too long or the value is nested too deep.
    """
    if isinstance(value, str):
        return value
    pieces: list[str] = []
    size = 0
    for piece in _pieces(value, 0):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_TEXT:
            raise FunctionError(f"text of a value is longer than {LARGEST_TEXT}")
    return "".join(pieces)


def _pieces(value: Value, depth: int) -> Iterator[str]:
    if depth > DEEPEST_VALUE:
        raise FunctionError(f"value is nested more than {DEEPEST_VALUE} deep")
    if isinstance(value, Shown):
        yield value.text
    elif isinstance(value, Struct):
        yield from _bracketed("{", value.values(), "}", depth)
    elif isinstance(value, Mapping):
        yield "map["
        for index, key in enumerate(sorted(value)):
            yield f"{' ' if index else ''}{key}:"
            yield from _pieces(value[key], depth + 1)
        yield "]"
    elif isinstance(value, list | tuple):
        yield from _bracketed("[", value, "]", depth)
    else:
        yield _scalar(value)


def _bracketed(opened: str, items: Iterable[Value], closed: str, depth: int) -> Iterator[str]:
    yield opened
    for index, item in enumerate(items):
        if index:
            yield " "
        yield from _pieces(item, depth + 1)
    yield closed


def _scalar(value: Value) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and type(value).__str__ is float.__str__:
        return format_float(value)
    return str(value)
