"""Label matchers as tests on distinct label values.

Regular expressions are RE2, fully anchored, and ``.`` matches a line break, as in Prometheus 3.
The common shapes (a literal, ``a|b|c``, ``prefix.*``, ``.*``, ``.+``) need no automaton.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import re2

from detectviz.tsdb.interface import Matcher, MatchOp, StoreError
from detectviz.tsdb.labels import is_utf8

ValueTest = Callable[[str], bool]

_META = frozenset("\\.+*?()[]{}^$|")
_NEGATIVE = frozenset({MatchOp.NOT_EQUAL, MatchOp.NOT_REGEX})


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledMatcher:
    """A matcher split into what it looks for and whether that is wanted.

    ``literals`` are the only values ``found`` can be true for, where they are known.
    """

    found: ValueTest
    literals: frozenset[str] | None
    negative: bool

    def matches(self, value: str) -> bool:
        """Say whether a label with this value matches."""
        return self.found(value) != self.negative


@lru_cache(maxsize=256)  # an automaton may hold megabytes
def compile_matcher(matcher: Matcher) -> CompiledMatcher:
    """Prepare a matcher.

    Raises:
        StoreError: it is not valid UTF-8, or its expression not valid RE2 (never retryable).

    """
    if not is_utf8(matcher.name) or not is_utf8(matcher.value):
        raise StoreError(f"{matcher!r} is not valid UTF-8", retryable=False)
    if matcher.op in {MatchOp.EQUAL, MatchOp.NOT_EQUAL}:
        literals: frozenset[str] | None = frozenset({matcher.value})
    else:
        literals = _alternatives(matcher.value)
    found = literals.__contains__ if literals is not None else _pattern_test(matcher.value)
    return CompiledMatcher(found=found, literals=literals, negative=matcher.op in _NEGATIVE)


def _alternatives(pattern: str) -> frozenset[str] | None:
    if "\\" not in pattern:
        branches = pattern.split("|")
        return frozenset(branches) if all(map(_META.isdisjoint, branches)) else None
    return _escaped_alternatives(pattern)


def _escaped_alternatives(pattern: str) -> frozenset[str] | None:
    r"""Read ``10\.0\.0\.1|a`` as the literals it stands for, if it is nothing else."""
    branches, literal = list[str](), list[str]()
    letters = iter(pattern)
    for one in letters:
        if one == "|":
            branches.append("".join(literal))
            literal.clear()
            continue
        if one == "\\":
            one = next(letters, "")  # noqa: PLW2901 - the letter meant
            if one not in _META or not one:
                return None  # a class such as \\d, or nothing
        elif one in _META:
            return None
        literal.append(one)
    return frozenset([*branches, "".join(literal)])


def _pattern_test(pattern: str) -> ValueTest:
    prefix, ending = pattern[:-2], pattern[-2:]
    if ending in {".*", ".+"} and _META.isdisjoint(prefix):
        shortest = len(prefix) + (ending == ".+")
        return lambda value: len(value) >= shortest and value.startswith(prefix)
    return _automaton_test(pattern)


def _automaton_test(pattern: str) -> ValueTest:
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        automaton = re2.compile(pattern, options)
    except re2.error as error:
        raise StoreError(
            f"invalid regular expression {pattern!r}: {error}", retryable=False
        ) from error
    return lambda value: automaton.fullmatch(value) is not None
