"""Numbers and durations as PromQL spells them."""

import math

import numpy as np

from detectviz.contracts.durations import DurationError, parse_duration_ms

_OCTAL_DIGITS = frozenset("01234567")
_NAMED = {"inf": math.inf, "+inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def parse_number(text: str) -> float:
    """Return the value of a literal: decimal, hexadecimal, octal, ``Inf``, ``NaN``.

    Raise ValueError when it is none. Underscores may separate digits, as in Go.
    """
    lowered = text.lower()
    if lowered in _NAMED:
        return _NAMED[lowered]
    if lowered.startswith("0x"):
        return float(int(lowered, 16))
    digits = lowered.replace("_", "") if _well_separated(lowered) else lowered
    if digits.startswith("0") and set(digits) <= _OCTAL_DIGITS:
        return float(int(digits, 8))
    return float(digits)


def _well_separated(text: str) -> bool:
    return "__" not in text and not text.endswith("_")


def parse_duration_literal_ms(text: str) -> int:
    """Return the milliseconds of ``5m`` or of a plain number of seconds; ValueError if neither."""
    try:
        return parse_duration_ms(text)
    except DurationError:
        seconds = parse_number(text)
    if not math.isfinite(seconds):
        raise ValueError("duration out of range")
    return round(seconds * 1000)


def format_number(value: float) -> str:
    """Return the shortest decimal text that reads back as ``value``, with few exponents."""
    return _formatted(value, most=1e21)


def format_general(value: float) -> str:
    """Return the shortest text that reads back as ``value`` as Go's ``%g``: ``1e+06``, ``0.5``."""
    return _formatted(value, most=1e6)


def _formatted(value: float, *, most: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0 or 1e-4 <= abs(value) < most:  # noqa: PLR2004 - Go's border as well
        return format_fixed(value)
    return np.format_float_scientific(value, trim="-", exp_digits=2)


def format_fixed(value: float) -> str:
    """Return the shortest text without an exponent (Go's ``FormatFloat(f, 'f', -1, 64)``)."""
    if not math.isfinite(value):
        return format_number(value)
    return np.format_float_positional(value, trim="-")


def quotient(dividend: float, divisor: float) -> float:
    """Divide as IEEE 754 has it: by zero there is an infinity or NaN."""
    if divisor != 0:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)
