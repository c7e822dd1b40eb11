"""Alertmanager's template functions and the values of its data model.

Semantics of Alertmanager's ``template`` package: ``KV`` with ``SortedPairs``, ``Remove``, ``Names``
and ``Values``, ``Alerts`` with ``Firing`` and ``Resolved``, times with zones, durations.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import unquote_plus
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detectviz.gotemplate.builtins import GO_FUNCTIONS
from detectviz.gotemplate.errors import FunctionError
from detectviz.gotemplate.functions import Functions, MethodTable, as_list, as_struct, as_text
from detectviz.gotemplate.moments import Moment, as_datetime, formatted
from detectviz.gotemplate.prometheus import prometheus_functions
from detectviz.gotemplate.values import LARGEST_TEXT, Struct, Value

_FIRST_LABEL = "alertname"
_BEFORE_EVERYTHING = -62_135_596_800.0  # Go's zero time
_SHARED = (
    *("humanize", "humanize1024", "humanizeDuration", "humanizePercentage", "humanizeTimestamp"),
    *("args", "join", "match", "parseDuration", "reReplaceAll", "safeHtml", "stringSlice"),
    *("toLower", "toTime", "toUpper", "trimSpace"),
)


class KV(dict[str, Value]):
    """Labels or annotations: a missing name is empty text."""


class Pairs(list[Value]):
    """Names and values in order, ``alertname`` first."""


class Pair(Struct):
    """One ``.Name`` and ``.Value``."""


class Alerts(list[Value]):
    """The alerts of a notification."""


class ZonedMoment(Moment):
    """A time that prints in a zone."""

    __slots__ = ("zone",)
    zone: ZoneInfo

    def __str__(self) -> str:
        """Return the time as Go prints it, with the zone's offset and name."""
        moment = self.moment
        fraction = f"{moment.microsecond:06d}".rstrip("0")
        return f"{moment:%Y-%m-%d %H:%M:%S}{'.' + fraction if fraction else ''} {moment:%z %Z}"

    @property
    def moment(self) -> datetime:
        """The time with its zone."""
        return as_datetime(self).astimezone(self.zone)


class Duration(float):
    """Seconds that print as Go's durations do: ``1h2m3s``."""

    __slots__ = ()

    def __str__(self) -> str:
        """Return Go's text."""
        total_ms = round(abs(self) * 1000)
        sign = "-" if self < 0 and total_ms else ""
        if total_ms < 1000:  # noqa: PLR2004 - below a second Go prints milliseconds
            return f"{sign}{total_ms}ms" if total_ms else "0s"
        minutes, ms = divmod(total_ms, 60_000)
        hours, minutes = divmod(minutes, 60)
        seconds = f"{ms / 1000:.3f}".rstrip("0").rstrip(".")
        head = f"{hours}h{minutes}m" if hours else (f"{minutes}m" if minutes else "")
        return f"{sign}{head}{seconds}s"


def _pairs(kv: Value) -> Pairs:
    known: Mapping[str, Value] = kv if isinstance(kv, Mapping) else {}
    names = sorted(known, key=lambda name: (name != _FIRST_LABEL, name))
    return Pairs(Pair({"Name": name, "Value": known[name]}) for name in names)


def _column(name: str) -> Callable[[Value], Value]:
    def values(pairs: Value) -> Value:
        return [as_struct(pair)[name] for pair in as_list(pairs)]

    return values


_names, _values = _column("Name"), _column("Value")


def _without(kv: Value, names: Value) -> KV:
    gone = set(map(as_text, as_list(names)))
    known: Mapping[str, Value] = kv if isinstance(kv, Mapping) else {}
    return KV({name: value for name, value in known.items() if name not in gone})


def _pairs_text(pairs: Value) -> str:
    shown = (as_struct(pair) for pair in as_list(pairs))
    return ", ".join(f"{pair['Name']}={pair['Value']}" for pair in shown)


def _with_status(status: str) -> Callable[[Value], Value]:
    def chosen(alerts: Value) -> Value:
        return Alerts(each for each in as_list(alerts) if as_struct(each)["Status"] == status)

    return chosen


def _title(text: Value) -> str:
    """Return every word with a large first letter and small others, as Go's cases.Title."""
    shown, previous = [], " "
    for character in as_text(text):
        is_inside = previous.isalnum() or previous in "_'"
        changed = character.lower() if is_inside else character.title()
        shown.append(changed if len(changed) == 1 else character)
        previous = character
    return "".join(shown)


def _as_moment(value: Value) -> Moment:
    if not isinstance(value, Moment):
        raise FunctionError("expected a time, such as .StartsAt")
    return value


def _zoned_datetime(value: Value) -> datetime:
    moment = _as_moment(value)
    return moment.moment if isinstance(moment, ZonedMoment) else as_datetime(moment)


def _date(layout: Value, value: Value) -> str:
    return formatted(_zoned_datetime(value), as_text(layout))


def _tz(name: Value, value: Value) -> ZonedMoment:
    try:
        zone = ZoneInfo(as_text(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise FunctionError(f"unknown time zone {as_text(name)}") from error
    moment = ZonedMoment(_as_moment(value))
    moment.zone = zone
    return moment


def _to_json(value: Value) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise FunctionError("the value can't be written as JSON") from error
    if len(text) > LARGEST_TEXT:
        raise FunctionError(f"its text is longer than {LARGEST_TEXT}")
    return text


def _dict(*items: Value) -> dict[str, Value]:
    if len(items) % 2:
        raise FunctionError("a value is missing: dict takes names and values in turn")
    return {as_text(name): value for name, value in zip(items[::2], items[1::2], strict=True)}


def _append(items: Value, *more: Value) -> list[Value]:
    return [*as_list(items), *more]


def _since(now: datetime) -> Callable[[Value], Value]:
    def since(value: Value) -> Value:
        return Duration((now - as_datetime(_as_moment(value))).total_seconds())

    return since


_VALUE_METHODS: MethodTable = {
    KV: {
        "SortedPairs": lambda kv: _pairs(kv),  # noqa: PLW0108 - call() reads its __code__
        "Remove": _without,
        "Names": lambda kv: _names(_pairs(kv)),
        "Values": lambda kv: _values(_pairs(kv)),
    },
    Pairs: {"Names": _names, "Values": _values, "String": _pairs_text},
    Alerts: {"Firing": _with_status("firing"), "Resolved": _with_status("resolved")},
    Duration: {
        "Seconds": lambda value: float(value),  # noqa: PLW0108 - call() reads its __code__
        "Minutes": lambda value: float(value) / 60,
        "Hours": lambda value: float(value) / 3600,
        "String": lambda value: str(value),  # noqa: PLW0108 - call() reads its __code__
    },
}
_TIME_METHODS: Mapping[str, Callable[..., Value]] = {
    "Format": lambda value, layout: _date(layout, value),
    "UTC": lambda value: Moment(value),  # noqa: PLW0108 - call() reads its __code__
    "Unix": lambda value: int(value),  # noqa: PLW0108 - call() reads its __code__
    "IsZero": lambda value: float(value) == _BEFORE_EVERYTHING,
    "Before": lambda value, other: value < _as_moment(other),
    "After": lambda value, other: value > _as_moment(other),
    "Sub": lambda value, other: Duration(value - _as_moment(other)),
}
_ZONED_METHODS: Mapping[str, Callable[..., Value]] = {
    "Year": lambda value: _zoned_datetime(value).year,
    "Month": lambda value: _zoned_datetime(value).strftime("%B"),
    "Weekday": lambda value: _zoned_datetime(value).strftime("%A"),
    "Day": lambda value: _zoned_datetime(value).day,
    "Hour": lambda value: _zoned_datetime(value).hour,
    "Minute": lambda value: _zoned_datetime(value).minute,
    "Second": lambda value: _zoned_datetime(value).second,
}
_METHODS: MethodTable = {
    **_VALUE_METHODS,
    Moment: {**_ZONED_METHODS, **_TIME_METHODS},
    ZonedMoment: {**_ZONED_METHODS, **_TIME_METHODS},
}
_PROMETHEUS = prometheus_functions().plain
_WITHOUT_CLOCK = Functions(
    plain={name: _PROMETHEUS[name] for name in (*GO_FUNCTIONS.plain, *_SHARED)}
).extended(
    {
        "append": _append,
        "date": _date,
        "dict": _dict,
        "list": lambda *items: list(items),
        "safeUrl": as_text,
        "title": _title,
        "toJson": _to_json,
        "tz": _tz,
        "urlUnescape": lambda text: unquote_plus(as_text(text)),
    },
    _METHODS,
)


def alertmanager_functions(*, now: datetime) -> Functions:
    """Return what notification templates may call; ``since`` counts up to ``now``."""
    return _WITHOUT_CLOCK.extended({"since": _since(now)})


def kv(labels: Mapping[str, str]) -> KV:
    """Return labels or annotations as templates see them."""
    return KV(labels)


def moment(at: datetime | None) -> Moment:
    """Return a time as templates see it, in its own zone; None is Go's zero time."""
    if at is not None and isinstance(at.tzinfo, ZoneInfo):
        zoned = ZonedMoment(at.timestamp())
        zoned.zone = at.tzinfo
        return zoned
    return Moment(_BEFORE_EVERYTHING if at is None else at.timestamp())


def alerts(items: Sequence[Struct]) -> Alerts:
    """Return alerts as templates see them."""
    return Alerts(items)
