"""Our parser against another one, over every expression of the test scripts."""

import re

import promql_parser
import pytest

from detectviz.promql.errors import ParseError
from detectviz.promql.parser import parse
from tests.conformance.promql.runner import DATA
from tests.conformance.promql.script import Case, read_script

SCRIPTS = sorted(path.name for path in DATA.glob("*.test"))

# What promql_parser refuses and Prometheus accepts: computed durations, newer functions, trims.
UNKNOWN_TO_THE_OTHER = (
    r"\[[^]]*[-+*/%(][^]]*\]",
    r"(?i)offset [-+]?(\(|step|range|m\w\w_of)",
    r"\binfo\(.*, *\{",
    r"[<>]/",
    r"\b(min_of|max_of|step|range|start|end|start_timestamp)\(",
    r"(?i)\b(anchored|smoothed)\b",
)


def accepted_by_other(query: str) -> bool:
    try:
        promql_parser.parse(query)
    except ValueError:
        return False
    return True


def accepted_by_ours(query: str) -> bool:
    try:
        parse(query)
    except ParseError:
        return False
    return True


@pytest.mark.parametrize("script", SCRIPTS)
def test_both_parsers_accept_the_same_expressions(script: str) -> None:
    queries = {one.query for one in read_script(DATA / script) if isinstance(one, Case)}
    different = {
        query: ours
        for query in queries
        if (ours := accepted_by_ours(query)) is not accepted_by_other(query)
        and not any(re.search(known, query) for known in UNKNOWN_TO_THE_OTHER)
    }
    assert different == {}


def test_what_a_script_may_parse_is_never_refused_as_bad_syntax() -> None:
    for script in SCRIPTS:
        for one in read_script(DATA / script):
            if isinstance(one, Case) and not one.fails:
                assert accepted_by_ours(one.query), one.query


@pytest.mark.parametrize(
    "query",
    [
        "foo @ -10", '{a="b" or c="d"}', "foo{", "sum by", "foo[5m:]", "a +", "bool", "{a=1}",
        "foo offset -1", "sum(x) by (a) (b)", "a == b == c", "1 > bool 2", "-1 ^ 2", "f()", "{}",
        'label_replace(a, "b", "c", "d", "e")', "rate(x[5m]) > 1 and on() y", "x[5m] offset 1h @ 5",
    ],
)  # fmt: skip
def test_both_parsers_agree_about_odd_expressions(query: str) -> None:
    known = {'{a="b" or c="d"}'}  # VictoriaMetrics' extension, accepted by the other
    assert accepted_by_ours(query) is (accepted_by_other(query) and query not in known)
