"""OpenTelemetry's names and units as Prometheus writes them (UnderscoreEscapingWithSuffixes).

Source: the OpenTelemetry specification, "Prometheus and OpenMetrics compatibility", and what
Prometheus' OTLP receiver does by default: https://prometheus.io/docs/guides/opentelemetry.
"""

from enum import Enum, auto
from functools import lru_cache

_UNITS = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
_PER_UNITS = {
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "y": "year",
}
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


class Kind(Enum):
    """What decides a metric's suffix."""

    COUNTER = auto()
    GAUGE = auto()
    OTHER = auto()


@lru_cache(maxsize=20_000)
def metric_name(name: str, unit: str, kind: Kind) -> str:
    """Return the Prometheus name of a metric; empty when nothing of the name is left.

    The words of the name, then the unit's when it is not among them, then ``total`` of a counter
    or ``ratio`` of a gauge with unit 1.
    """
    words = _words(name, ":")
    if not words:
        return ""
    main, per = unit_words(unit)
    if main in words:
        main = ""
    if per in words:
        per = ""
    words += [part for part in (main, per) if part]
    if kind is Kind.COUNTER:
        words = [*(word for word in words if word != "total"), "total"]
    elif kind is Kind.GAUGE and unit == "1":
        words = [*(word for word in words if word != "ratio"), "ratio"]
    joined = "_".join(words)
    return f"_{joined}" if joined[0].isdigit() else joined


def unit_name(unit: str) -> str:
    """Return a unit in Prometheus' words, such as ``bytes_per_second``."""
    return "_".join(part for part in unit_words(unit) if part)


def unit_words(unit: str) -> tuple[str, str]:
    """Return the unit itself and ``per_…``; what stands in braces is a remark and no unit."""
    main, _, per = unit.partition("/")
    main, per = main.strip(), per.strip()
    main = "" if "{" in main or "}" in main else _UNITS.get(main, main)
    per = "" if "{" in per or "}" in per else _PER_UNITS.get(per, per)
    clean_main, clean_per = "_".join(_words(main, ":")), "_".join(_words(per, ":"))
    return clean_main, f"per_{clean_per}" if clean_per else ""


@lru_cache(maxsize=20_000)
def label_name(key: str) -> str:
    """Return the Prometheus name of an attribute; empty when nothing of it is left."""
    name = "".join(letter if letter in _LETTERS or letter == "_" else "_" for letter in key)
    if not name.strip("_"):
        return ""
    if name[0].isdigit():
        return f"key_{name}"
    if name.startswith("_") and not name.startswith("__"):
        return f"key{name}"
    return name


def _words(text: str, also: str) -> list[str]:
    spaced = "".join(letter if letter in _LETTERS or letter in also else " " for letter in text)
    return spaced.split()
