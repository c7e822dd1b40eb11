"""``${name:format}``: how several values become one text, before it is escaped for its place."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from detectviz.queries.errors import VariableError
from detectviz.queries.variables.model import Variable

_Format = Callable[[tuple[str, ...]], str]


_REGEX_MEANINGS = frozenset("\\.+*?()|[]{}^$")


def regex_of(values: tuple[str, ...], *, more: str = "") -> str:
    """Return the regular expression that matches exactly these texts.

    ``more`` are characters with a meaning of their own where it will stand.
    """
    special = _REGEX_MEANINGS | set(more)
    escaped = ["".join(f"\\{c}" if c in special else c for c in each) for each in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _quoted(quote_mark: str) -> _Format:
    def form(values: tuple[str, ...]) -> str:
        escaped = (
            each.replace("\\", "\\\\").replace(quote_mark, f"\\{quote_mark}") for each in values
        )
        return ",".join(f"{quote_mark}{each}{quote_mark}" for each in escaped)

    return form


def _json(values: tuple[str, ...]) -> str:
    return json.dumps(values[0] if len(values) == 1 else list(values), ensure_ascii=False)


FORMATS: Mapping[str, _Format] = {
    "raw": ",".join,
    "text": " + ".join,
    "csv": ",".join,
    "pipe": "|".join,
    "glob": lambda values: values[0] if len(values) == 1 else "{" + ",".join(values) + "}",
    "regex": regex_of,
    "json": _json,
    "singlequote": _quoted("'"),
    "doublequote": _quoted('"'),
    "percentencode": lambda values: quote(",".join(values), safe=""),
}


def formatted(variable: Variable, name: str) -> str:
    """Return a variable's values in a format; raise VariableError for a format there is not."""
    if name.split(":", 1)[0] == "date":
        return _date(variable, name)
    form = FORMATS.get(name)
    if form is None:
        known = ", ".join(sorted(FORMATS))
        raise VariableError(
            f"${{{variable.name}:{name}}}: there is no such format; there are {known}"
        )
    return form(variable.values)


def _date(variable: Variable, name: str) -> str:
    try:
        moment_ms = int(variable.values[0])
        if name in {"date", "date:iso"}:
            moment = datetime.fromtimestamp(moment_ms / 1000, tz=UTC)
            return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if name == "date:seconds":
            return str(moment_ms // 1000)
    except (ValueError, OverflowError, OSError, IndexError):
        raise VariableError(f"variable {variable.name} is no time") from None
    raise VariableError(f"${{{variable.name}:{name}}}: write date, date:iso or date:seconds")
