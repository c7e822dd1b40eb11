"""Matchers as Alertmanager reads them: classic, UTF-8, and where the two disagree."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.notifications.services.matcher_index import MatcherIndex
from apps.notifications.services.matchers import (
    LabelMatcher,
    MatcherError,
    all_match,
    parse_matcher,
    parse_matchers,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a="b"', LabelMatcher("a", "=", "b")),
        ("a=b", LabelMatcher("a", "=", "b")),
        (" a != b ", LabelMatcher("a", "!=", "b")),
        ("a=~b.*", LabelMatcher("a", "=~", "b.*")),
        ("a!~b|c", LabelMatcher("a", "!~", "b|c")),
        ("a=", LabelMatcher("a", "=", "")),
        ("a=b c", LabelMatcher("a", "=", "b c")),
        ("a=b=c", LabelMatcher("a", "=", "b=c")),
        (r'a="\d"', LabelMatcher("a", "=", r"\d")),
        (r'a="x\ny\"z\\"', LabelMatcher("a", "=", 'x\ny"z\\')),
        ("ä=b", LabelMatcher("ä", "=", "b")),
        ('"a b"="c"', LabelMatcher("a b", "=", "c")),
        (r'"a\u00e4"="\x41"', LabelMatcher("aä", "=", "A")),
        ("🙂=🙂", LabelMatcher("🙂", "=", "🙂")),
        ("a:b=c", LabelMatcher("a:b", "=", "c")),
        ("a.b=c", LabelMatcher("a.b", "=", "c")),
        (r'a="\x41"', LabelMatcher("a", "=", r"\x41")),  # they disagree: classic wins
    ],
)
def test_both_syntaxes_are_read(text: str, expected: LabelMatcher) -> None:
    assert parse_matcher(text) == expected
    assert parse_matcher(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "=b",
        "{a=b}",
        "a=b}",
        'a="b',
        'a=b"c',
        "a=~(",
        '"a b=c',
        'a="b" c="d"',
        '""="a"',
        "ä=b c",
    ],
)
def test_what_neither_syntax_knows_is_refused(text: str) -> None:
    with pytest.raises(MatcherError):
        parse_matcher(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("{}", 0),
        ("{a=b}", 1),
        ('{a="b",c!="d",}', 2),
        ("a=b,c=~d", 2),
        ('{a="x,y"}', 1),
        (r'{a="say \"hi, you\"", b="c"}', 2),
        ('{"a b"="c", d="e"}', 2),
    ],
)
def test_lists_are_read_with_and_without_braces(text: str, count: int) -> None:
    assert len(parse_matchers(text)) == count


@pytest.mark.parametrize("text", ["{a}", "{,}", "a=b,,c=d", '{"a b"="c"'])
def test_wrong_lists_are_refused(text: str) -> None:
    with pytest.raises(MatcherError):
        parse_matchers(text)


@pytest.mark.parametrize(
    ("text", "value", "matches"),
    [
        ('a=""', None, True),
        ('a!=""', None, False),
        ('a=~"b?"', None, True),
        ('a=~"b"', "abc", False),
        ('a=~"a|b"', "ab", False),
        ('a!~"a|b"', "ab", True),
        ('a=~".*"', None, True),
        ('a=~".+"', None, False),
        ('a=~"(?i)B"', "b", True),
        ('a=~"b$"', "b", True),
        ('a=~".*"', "x\ny", False),
    ],
)
def test_regexes_are_anchored_and_what_is_missing_is_empty(
    text: str, value: str | None, matches: bool
) -> None:
    labels = {} if value is None else {"a": value}
    assert parse_matcher(text).matches(labels) is matches


@given(
    name=st.text(min_size=1, max_size=20),
    op=st.sampled_from(["=", "!="]),
    value=st.text(max_size=40).filter(lambda text: "\x00" not in text),
)
def test_every_matcher_is_read_as_it_is_printed(name: str, op: str, value: str) -> None:
    matcher = LabelMatcher(name, op, value)
    printed = str(matcher)
    if not name.isprintable() or any(character.isspace() for character in name + value):
        return  # Go and Python disagree on what is space
    assert parse_matcher(printed) == matcher


@given(text=st.text(alphabet="ab{}=!~,\"\\ \n'`ä", max_size=30))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    for read in (parse_matcher, parse_matchers):
        with suppress(MatcherError):
            assert read(text) is not None


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "x", "y"]), max_size=3)
MATCHERS = st.lists(
    st.builds(
        LabelMatcher,
        st.sampled_from("abc"),
        st.sampled_from(["=", "!=", "=~", "!~"]),
        st.sampled_from(["", "x", "y", "x|y"]),
    ),
    min_size=1,
    max_size=3,
)


@given(lists=st.lists(MATCHERS, max_size=6), labels=LABELS)
def test_the_index_finds_what_comparing_all_would_find(
    lists: list[list[LabelMatcher]], labels: dict[str, str]
) -> None:
    index: MatcherIndex[int] = MatcherIndex()
    for number, matchers in enumerate(lists):
        index.add(matchers, number)
    plain = {number for number, matchers in enumerate(lists) if all_match(matchers, labels)}
    assert set(index.find(labels)) == plain
