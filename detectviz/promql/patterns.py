"""Regular expressions of queries: RE2, anchored, linear in time."""

import re
from functools import lru_cache
from typing import Protocol

import re2

from detectviz.tsdb.interface import Matcher, MatchOp

_MOST_PATTERNS = 1024


class PatternMatch(Protocol):
    """A successful match."""

    def group(self, group: int | str) -> str | None:
        """Return one group's text; None when it took no part."""


class Pattern(Protocol):
    """A compiled pattern."""

    @property
    def groups(self) -> int:
        """Count the capturing groups."""

    @property
    def groupindex(self) -> dict[str, int]:
        """Map group names to numbers."""

    def fullmatch(self, text: str) -> PatternMatch | None:
        """Match the whole text or nothing."""


@lru_cache(_MOST_PATTERNS)
def compile_pattern(pattern: str) -> Pattern:
    """Compile ``pattern`` as Prometheus does: the dot matches newlines. ValueError if invalid."""
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        compiled: Pattern = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "invalid"
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"error parsing regexp: {text}: `{pattern}`") from None
    return compiled


def matches(matcher: Matcher, value: str) -> bool:
    """Tell whether a label value (empty when missing) satisfies ``matcher``."""
    if matcher.op is MatchOp.EQUAL:
        return value == matcher.value
    if matcher.op is MatchOp.NOT_EQUAL:
        return value != matcher.value
    found = compile_pattern(matcher.value).fullmatch(value) is not None
    return found is (matcher.op is MatchOp.REGEX)


_REFERENCE = re.compile(  # noqa: TID251 - our own constant, read at import
    r"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII
)


def expand(template: str, pattern: Pattern, match: PatternMatch) -> str:
    """Fill ``$1``, ``${1}``, ``$name`` and ``$$`` as Go's ``Regexp.Expand`` does."""

    def fill(reference: re.Match[str]) -> str:
        if reference.group(1):
            return "$"
        name = reference.group(2) or reference.group(3)
        if name.isdecimal():
            number = int(name)
            return (match.group(number) or "") if number <= pattern.groups else ""
        return (match.group(name) or "") if name in pattern.groupindex else ""

    return _REFERENCE.sub(fill, template)
