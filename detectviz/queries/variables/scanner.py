"""Where in a query's text a variable stands: in code, in a string, in a name, in a comment.

One scanner for all languages; what opens and closes a region is data (``lexicons``).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import re2

from detectviz.queries.errors import VariableError
from detectviz.queries.variables.model import Variables

_REFERENCE = re2.compile(
    r"\$(?:(?P<bare>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<format>[A-Za-z]+(?::[A-Za-z]+)?))?\})"
)
_TAG = re2.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)\$")
_LONGEST = 200_000


class Place(StrEnum):
    """What kind of region."""

    CODE = "code"
    STRING = "string"
    NAME = "name"
    REGEX = "regex"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A kind of region: from ``opening`` to ``closing``.

    In it, ``escape`` takes away the meaning of the character after it, and a doubled closing
    does not close where ``is_doubled``. ``opens`` may look at the text before the opening.
    """

    opening: str
    closing: str
    place: Place
    escape: str = ""
    is_doubled: bool = False
    is_nested: bool = False
    opens: Callable[[str, int], bool] = lambda *_: True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A variable's name in a text; ``before`` is the code that precedes its region."""

    name: str
    format: str
    spelling: str
    region: Region
    before: str


CODE = Region(opening="", closing="", place=Place.CODE)


def mentions(text: str, variables: Variables) -> bool:
    """Tell whether a text names any of the variables."""
    return "$" in text and any(
        (each.group("bare") or each.group("name")) in variables
        for each in _REFERENCE.finditer(text)
    )


def dollar_tags(text: str, variables: Variables) -> list[str]:
    """Return the tags of ``$tag$ … $tag$`` texts, as PostgreSQL and ClickHouse have them."""
    found = (each.group(1) for each in _TAG.finditer(text))
    return [tag for tag in found if tag not in variables]


def scan(text: str, regions: Sequence[Region], variables: Variables) -> Iterator[str | Reference]:
    """Yield a text's pieces: what stays, and the variables it names. Others' names stay."""
    if len(text) > _LONGEST:
        raise VariableError(f"the query is longer than {_LONGEST:,} characters")
    return _Scan(text, regions, variables).pieces()


class _Scan:
    def __init__(self, text: str, regions: Sequence[Region], variables: Variables) -> None:
        self._text = text
        self._regions = regions
        self._variables = variables
        self._at = 0
        self._kept_from = 0

    def pieces(self) -> Iterator[str | Reference]:
        """Walk through code."""
        while self._at < len(self._text):
            region = self._opened()
            if region is not None:
                before = self._text[: self._at].rstrip()
                self._at += len(region.opening)
                yield from self._inside(region, before)
            else:
                yield from self._step(CODE, self._text[: self._at])
        yield self._text[self._kept_from :]

    def _opened(self) -> Region | None:
        for region in self._regions:
            if self._text.startswith(region.opening, self._at) and region.opens(
                self._text, self._at
            ):
                return region
        return None

    def _inside(self, region: Region, before: str) -> Iterator[str | Reference]:
        depth = 1
        while self._at < len(self._text):
            rest_at = self._at
            if region.escape and self._text.startswith(region.escape, rest_at):
                self._at += len(region.escape) + 1
            elif self._text.startswith(region.closing, rest_at):
                self._at += len(region.closing)
                if region.is_doubled and self._text.startswith(region.closing, self._at):
                    self._at += len(region.closing)
                    continue
                depth -= 1
                if not depth:
                    return
            elif region.is_nested and self._text.startswith(region.opening, rest_at):
                depth += 1
                self._at += len(region.opening)
            else:
                yield from self._step(region, before)

    def _step(self, region: Region, before: str) -> Iterator[str | Reference]:
        """Pass over one character or one variable."""
        found = _REFERENCE.match(self._text, self._at) if self._text[self._at] == "$" else None
        name = "" if found is None else str(found.group("bare") or found.group("name"))
        if found is None or name not in self._variables:
            self._at += 1
            return
        yield self._text[self._kept_from : self._at]
        yield Reference(
            name=name,
            format=found.group("format") or "",
            spelling=found.group(0),
            region=region,
            before=before,
        )
        self._at = self._kept_from = found.end()
