"""Alertmanager's label matchers: ``team=~"web|db"``. Regexes are RE2, anchored at both ends."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import re2

_MATCHER = re.compile(  # noqa: TID251 - our own constant
    r'^\s*(?P<name>[A-Za-z_:][A-Za-z0-9_:]*|"(?:[^"\\]|\\.)+")\s*(?P<op>=~|!~|!=|=)\s*'
    r'(?P<value>"(?:[^"\\]|\\.)*"|[^"]*?)\s*$'
)
_CLASSIC_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")  # noqa: TID251 - our own constant
_ESCAPE = re.compile(r'\\([n"\\])')  # noqa: TID251 - our own constant


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
        name = self.name if _CLASSIC_NAME.fullmatch(self.name) else _quoted(self.name)
        return f"{name}{self.op}{_quoted(self.value)}"


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


def parse_matchers(text: str) -> list[LabelMatcher]:
    """Read matchers with commas between, in braces or not: ``{a="b", c!~"d|e"}``."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    return [parse_matcher(part) for part in _parts(inner) if part.strip()]


def _parts(text: str) -> list[str]:
    """Split at commas outside of quotes."""
    parts, start, is_quoted, is_escaped = [], 0, False, False
    for at, character in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif character == "\\":
            is_escaped = is_quoted
        elif character == '"':
            is_quoted = not is_quoted
        elif character == "," and not is_quoted:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def all_match(matchers: Sequence[LabelMatcher], labels: Mapping[str, str]) -> bool:
    """Say whether every matcher matches."""
    return all(matcher.matches(labels) for matcher in matchers)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


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
