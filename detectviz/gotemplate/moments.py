"""Points in time inside templates: Go's ``time.Time`` as far as templates use it."""

import re
from datetime import UTC, datetime, timedelta

from detectviz.gotemplate.errors import FunctionError
from detectviz.gotemplate.functions import MethodTable, as_text
from detectviz.gotemplate.values import Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAYOUT = re.compile(  # noqa: TID251 - our own constant, read at import
    r"January|Jan|Monday|Mon|2006|MST|-07:00|-0700|Z07:00|[.,]0+|[.,]9+|15|PM|pm"
    r"|01|02|03|04|05|06|_2|1|2|3|4|5"
)
_STRFTIME = {"January": "%B", "Jan": "%b", "Monday": "%A", "Mon": "%a", "2006": "%Y"}
_STRFTIME |= {"01": "%m", "02": "%d", "03": "%I", "04": "%M", "05": "%S", "06": "%y"}
_STRFTIME |= {"15": "%H", "PM": "%p", "MST": "%Z", "-0700": "%z"}


class Moment(float):
    """Unix seconds that print as a UTC time."""

    __slots__ = ()

    def __str__(self) -> str:
        """Return the time as Go prints it: ``2015-06-23 13:19:44.128 +0000 UTC``."""
        moment = as_datetime(self)
        fraction = f"{moment.microsecond:06d}".rstrip("0")
        return f"{moment:%Y-%m-%d %H:%M:%S}{'.' + fraction if fraction else ''} +0000 UTC"


def as_datetime(value: float) -> datetime:
    """Return the UTC time of Unix seconds, to the millisecond; FunctionError out of range."""
    try:
        return _EPOCH + timedelta(milliseconds=int(value * 1000))
    except (OverflowError, ValueError) as error:
        raise FunctionError(f"{value:g} is no time this can show") from error


def formatted(moment: datetime, layout: str) -> str:
    """Return a time in one of Go's layouts (``2006-01-02 15:04``)."""
    return _LAYOUT.sub(lambda match: _piece(moment, match.group()), layout)


def _piece(moment: datetime, word: str) -> str:
    if word in _STRFTIME:
        return moment.strftime(_STRFTIME[word])
    if word[0] in ".,":
        digits = f"{moment.microsecond:06d}".ljust(len(word) - 1, "0")[: len(word) - 1]
        if word[1] == "9":
            digits = digits.rstrip("0")
        return word[0] + digits if digits else ""
    offset = moment.strftime("%z")
    singles = {
        "1": str(moment.month),
        "2": str(moment.day),
        "_2": f"{moment.day:>2}",
        "3": str(moment.hour % 12 or 12),
        "4": str(moment.minute),
        "5": str(moment.second),
        "pm": moment.strftime("%p").lower(),
        "-07:00": f"{offset[:3]}:{offset[3:]}",
        "Z07:00": "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:]}",
    }
    return singles[word]


def _moment(value: Value) -> datetime:
    assert isinstance(value, float)
    return as_datetime(value)


MOMENT_METHODS: MethodTable = {
    Moment: {
        "Format": lambda value, layout: formatted(_moment(value), as_text(layout)),
        "Unix": lambda value: int(_moment(value).timestamp()),
        "UTC": lambda value: value,
        "Year": lambda value: _moment(value).year,
        "Month": lambda value: _moment(value).strftime("%B"),
        "Weekday": lambda value: _moment(value).strftime("%A"),
        "Day": lambda value: _moment(value).day,
        "Hour": lambda value: _moment(value).hour,
        "Minute": lambda value: _moment(value).minute,
        "Second": lambda value: _moment(value).second,
    }
}
