"""What a line says: JSON, logfmt or named groups become attributes."""

import json
import re
from collections.abc import Callable
from typing import Final, Protocol

import re2

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.types import JsonObject

_LOGFMT: Final = re.compile(r'([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*)))?')  # noqa: TID251 - our own constant
_ESCAPE: Final = re.compile(r"\\(.)")  # noqa: TID251 - our own constant
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r"}

Parser = Callable[[str], JsonObject | None]
"""Returns the attributes of a line, None for a line that is not in the format."""


class _Match(Protocol):
    def groupdict(self) -> dict[str, str | None]:
        """Return the named groups."""


class Pattern(Protocol):
    """What is used of a compiled RE2 pattern."""

    groupindex: dict[str, int]

    def search(self, text: str, /) -> _Match | None:
        """Find the first match."""

    def sub(self, replacement: Callable[[object], str], text: str, /) -> str:
        """Replace every match."""


def parser_of(format_name: str, pattern: str) -> Parser | None:
    """Return the parser of a format, None for none; raise ConfigurationError for a bad pattern."""
    if format_name == "regex":
        compiled = compiled_pattern(pattern, "/pattern")
        if not compiled.groupindex:
            message = "Name at least one group, as in (?P<status>[0-9]+)."
            raise ConfigurationError(message, field="/pattern")
        return lambda line: _groups(compiled, line)
    return {"json": parse_json, "logfmt": parse_logfmt}.get(format_name)


def compiled_pattern(pattern: str, field: str) -> Pattern:
    """Return a compiled RE2 pattern; raise ConfigurationError naming ``field``."""
    try:
        compiled: Pattern = re2.compile(pattern)
    except re2.error as error:
        message = f"{pattern!r} is no regular expression: {error}."
        raise ConfigurationError(message, field=field) from error
    return compiled


def parse_json(line: str) -> JsonObject | None:
    """Return the object a line is, None when it is something else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def parse_logfmt(line: str) -> JsonObject | None:
    """Return the pairs of a line of ``key=value key="quoted value" flag``, None without any."""
    pairs: dict[str, str | bool] = {}
    has_pair = False
    for key, quoted, plain in _LOGFMT.findall(line):
        if f"{key}=" in line:
            pairs[key] = _unescaped(quoted) if quoted else plain
            has_pair = True
        else:
            pairs[key] = True
    return pairs if has_pair else None


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), text)


def _groups(pattern: Pattern, line: str) -> JsonObject | None:
    match = pattern.search(line)
    if match is None:
        return None
    return {name: text for name, text in match.groupdict().items() if text is not None}
