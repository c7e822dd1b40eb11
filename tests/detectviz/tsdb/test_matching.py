import time

import pytest

from detectviz.tsdb.interface import Matcher, MatchOp, StoreError
from detectviz.tsdb.matching import compile_matcher


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("abc", ["abc"], ["ab", "abcd", "xabc"]),
        ("a|b|", ["a", "b", ""], ["ab", "c"]),
        ("ab.*", ["ab", "abc", "ab\nc"], ["a", "xab"]),
        ("ab.+", ["abc", "ab\n"], ["ab"]),
        (".*", ["", "x", "\n"], []),
        (".+", ["x"], [""]),
        ("a.c", ["abc", "a\nc"], ["ac"]),
        ("a|b.", ["a", "bx"], ["b", "ax"]),
        ("[[:alpha:]]+", ["abc"], ["ab1"]),
        ("((?i)PRO).*", ["prod", "PROd"], ["pr"]),
        ("日.", ["日本"], ["日"]),
    ],
)
def test_expressions_are_anchored_re2(pattern: str, yes: list[str], no: list[str]) -> None:
    found = compile_matcher(Matcher("x", MatchOp.REGEX, pattern))
    other = compile_matcher(Matcher("x", MatchOp.NOT_REGEX, pattern))
    assert all(found.matches(value) and not other.matches(value) for value in yes)
    assert all(other.matches(value) and not found.matches(value) for value in no)


@pytest.mark.parametrize("pattern", ["(", "a**", "(?=x)", "\\1"])
def test_what_re2_does_not_know_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(StoreError, match="invalid regular expression") as caught:
        compile_matcher(Matcher("x", MatchOp.REGEX, pattern))
    assert not caught.value.retryable


@pytest.mark.parametrize("op", list(MatchOp))
def test_what_is_no_utf_8_is_refused(op: MatchOp) -> None:
    for matcher in (Matcher("x", op, "\ud800"), Matcher("\ud800", op, "x")):
        with pytest.raises(StoreError, match="not valid UTF-8"):
            compile_matcher(matcher)


def test_no_expression_runs_away() -> None:
    evil = compile_matcher(Matcher("x", MatchOp.REGEX, "(a+)+$"))
    started = time.thread_time()
    assert not evil.matches("a" * 2000 + "b")
    assert time.thread_time() - started < 1
