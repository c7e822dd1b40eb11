"""Alertmanager's label matchers: ``team=~"web|db"``. Regexes are RE2, anchored at both ends."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import re2

from apps.notifications.services.matcher_syntax import (
    MatcherSyntaxError,
    Written,
    quoted,
    read_many,
    read_one,
)


class MatcherError(ValueError):
    """A matcher that can't be read; the message says how to write one."""


@dataclass(frozen=True, slots=True)
class LabelMatcher:
    """One condition on one label; a missing label equals the empty string."""

    name: str
    op: str
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether ``labels`` meet the condition."""
        given = labels.get(self.name, "")
        if self.op == "=":
            return given == self.value
        if self.op == "!=":
            return given != self.value
        found = _compiled(self.value).fullmatch(given) is not None
        return found if self.op == "=~" else not found

    @property
    def matches_empty(self) -> bool:
        """Say whether a label that is not there meets the condition."""
        return self.matches({})

    def __str__(self) -> str:
        """Return the matcher as Alertmanager prints it."""
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{quoted(self.name)}{self.op}"{value}"'


def matcher_of(name: str, op: str, value: str) -> LabelMatcher:
    """Return a checked matcher; raise MatcherError."""
    matcher = LabelMatcher(name, op, value)
    if not name:
        raise MatcherError("A matcher needs the name of a label.")
    if "~" in op:
        try:
            _compiled(value)
        except re2.error as error:
            raise MatcherError(f"{str(matcher)!r}: not a valid RE2 expression: {error}") from error
    return matcher


def parse_matcher(text: str) -> LabelMatcher:
    """Read one matcher, in classic or UTF-8 syntax; raise MatcherError saying what is wrong."""
    try:
        return matcher_of(*_read(text))
    except MatcherSyntaxError as error:
        raise MatcherError(
            f'{text!r} is no matcher: write name="value", name!=…, name=~… or name!~… ({error})'
        ) from error


def parse_matchers(text: str) -> list[LabelMatcher]:
    """Read matchers separated by commas, with or without braces; raise MatcherError."""
    try:
        return [matcher_of(*written) for written in read_many(text)]
    except MatcherSyntaxError as error:
        raise MatcherError(f"{text!r} is no list of matchers: {error}") from error


def all_match(matchers: Sequence[LabelMatcher], labels: Mapping[str, str]) -> bool:
    """Say whether every matcher matches."""
    return all(matcher.matches(labels) for matcher in matchers)


def canonical(texts: Iterable[str]) -> list[str]:
    """Return matchers as Alertmanager prints them; raise MatcherError."""
    return [str(parse_matcher(text)) for text in texts]


@lru_cache(maxsize=4096)
def _read(text: str) -> Written:
    return read_one(text)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> "re2._Regexp[str]":
    options = re2.Options()
    options.max_mem = 8 * 1024 * 1024
    options.log_errors = False
    return re2.compile(pattern, options)
