"""Numbers for people, exactly as Prometheus' template functions print them."""

import math

from detectviz.gotemplate.errors import FunctionError
from detectviz.gotemplate.moments import Moment
from detectviz.gotemplate.printf import sprintf
from detectviz.gotemplate.values import Value, type_name

_LARGE = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_SMALL = ("m", "u", "n", "p", "f", "a", "z", "y")
_BINARY = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


def as_number(value: Value) -> float:
    """Return a number, or the number a text spells; raise FunctionError for anything else."""
    if isinstance(value, str):
        try:
            return float(value.replace("_", "x"))
        except ValueError as error:
            raise FunctionError(f'strconv.ParseFloat: parsing "{value}": invalid syntax') from error
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FunctionError(f"can't convert {type_name(value)} to float")
    return float(value)


def _short(value: float, suffix: str = "") -> str:
    return sprintf("%.4g", [value]) + suffix


def _scaled_down(value: float, prefixes: tuple[str, ...], base: float) -> str:
    chosen = ""
    for prefix in prefixes:
        if abs(value) < base:
            break
        chosen = prefix
        value /= base
    return _short(value, chosen)


def _scaled_up(value: float, unit: str = "") -> str:
    chosen = ""
    for prefix in _SMALL:
        if abs(value) >= 1:
            break
        chosen = prefix
        value *= 1000
    return _short(value, chosen + unit)


def humanize(value: Value) -> str:
    """Return a number with a metric prefix: ``1.235M``."""
    number = as_number(value)
    if number == 0 or not math.isfinite(number):
        return _short(number)
    return _scaled_down(number, _LARGE, 1000) if abs(number) >= 1 else _scaled_up(number)


def humanize1024(value: Value) -> str:
    """Return a number with a binary prefix: ``1.177Mi``."""
    number = as_number(value)
    if abs(number) <= 1 or not math.isfinite(number):
        return _short(number)
    return _scaled_down(number, _BINARY, 1024)


def humanize_duration(value: Value) -> str:
    """Return seconds in larger or smaller units: ``1d 0h 0m 1s``, ``12.35ms``."""
    number = as_number(value)
    if not math.isfinite(number):
        return _short(number)
    if number == 0:
        return _short(number, "s")
    if abs(number) < 1:
        return _scaled_up(number, "s")
    sign, number = ("-", -number) if number < 0 else ("", number)
    whole = int(number)
    parts = f"{whole // _HOUR_S % 24}h {whole // _MINUTE_S % 60}m {whole % 60}s"
    if whole >= _DAY_S:
        return f"{sign}{whole // _DAY_S}d {parts}"
    if whole >= _HOUR_S:
        return sign + parts
    if whole >= _MINUTE_S:
        return f"{sign}{whole // _MINUTE_S % 60}m {whole % 60}s"
    return sign + _short(number, "s")


def humanize_percentage(value: Value) -> str:
    """Return a ratio as a percentage: ``12.35%``."""
    return _short(as_number(value) * 100, "%")


def humanize_timestamp(value: Value) -> str:
    """Return Unix seconds as a time: ``2015-06-23 13:19:44.128 +0000 UTC``."""
    number = as_number(value)
    return str(Moment(number)) if math.isfinite(number) else _short(number)
