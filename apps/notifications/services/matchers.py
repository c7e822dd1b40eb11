"""Alertmanager's label matchers: ``team=~"web|db"``. Regexes are RE2, anchored at both ends."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import re2

_MATCHER = re.compile(  # noqa: TID251 - our own constant
    r'^\s*(?P<name>[A-Za-z_:][A-Za-z0-9_:]*|"(?:[^"\\]|\\.)+")\s*(?P<op>=~|!~|!=|=)\s*'
    r'(?P<value>"(?:[^"\\]|\\.)*"|[^"{}!=~,\\\s]*)\s*$'
)
_ESCAPE = re.compile(r"\\(.)")  # noqa: TID251 - our own constant


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

    def __str__(self) -> str:
        """Return the matcher as Alertmanager prints it."""
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.op}"{value}"'


def parse_matcher(text: str) -> LabelMatcher:
    """Read one matcher; raise MatcherError saying what is wrong."""
    match = _MATCHER.match(text)
    if match is None:
        raise MatcherError(
            f'{text!r} is no matcher: write name="value", name!=…, name=~… or name!~…'
        )
    matcher = LabelMatcher(_unquoted(match["name"]), match["op"], _unquoted(match["value"]))
    if "~" in matcher.op:
        try:
            _compiled(matcher.value)
        except re2.error as error:
            raise MatcherError(f"{text!r}: not a valid RE2 expression: {error}") from error
    return matcher


def all_match(matchers: Sequence[LabelMatcher], labels: Mapping[str, str]) -> bool:
    """Say whether every matcher matches."""
    return all(matcher.matches(labels) for matcher in matchers)


def _unquoted(text: str) -> str:
    if text.startswith('"'):
        return _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], text[1:-1])
    return text


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> "re2._Regexp[str]":
    options = re2.Options()
    options.max_mem = 8 * 1024 * 1024
    options.log_errors = False
    return re2.compile(pattern, options)
