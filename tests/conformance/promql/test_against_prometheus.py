"""Random expressions give what Debian's Prometheus 2.42 answers, over the same samples.

``DETECTVIZ_PROMQL_EXAMPLES`` asks for more of them, ``DETECTVIZ_PROMQL_SEED`` for others.
"""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, seed, settings
from hypothesis import strategies as st

from detectviz.promql import nodes
from detectviz.promql.formatting import format_expression
from detectviz.promql.parser import parse
from tests.conformance.promql.grammar import expressions
from tests.conformance.promql.oracle import FIRST_S, Answer, Both, both

pytestmark = pytest.mark.services("prometheus")
EXAMPLES = int(os.environ.get("DETECTVIZ_PROMQL_EXAMPLES", "150"))  # noqa: TID251 - of this test
SEED = int(os.environ.get("DETECTVIZ_PROMQL_SEED", "2042"))  # noqa: TID251 - of this test
_TOLERANCE = 1e-9

# Where 3.x differs from 2.42: by what the query looks like or 2.42 answers. What the grammar and
# the samples avoid altogether: samples on the edges of windows (closed there, left-open here),
# rates of counters near zero (the zero point was looked at before the threshold), sums and means
# of infinities, dates of infinities (whatever the machine makes of them), quantiles of native
# histograms (linear there, exponential here).
DIFFERENCES = {
    "names are dropped late, so series that differ in it don't collide": (
        r"vector cannot contain metrics with the same labelset"
    ),
    "2.42 forgets samples of a pinned range step by step": r"predict_linear\(.*@",
}
RELAXED = settings(
    max_examples=EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)
COUNTS: dict[str, int] = {}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with both(folder) as running:
        yield running
    print(f"\nseed {SEED}: {COUNTS}")  # noqa: T201 - how much was compared


def counted(kind: str, theirs: Answer) -> None:
    result = "refused" if isinstance(theirs, str) else "answered"
    if not isinstance(theirs, str) and not theirs["result"]:
        result = "empty"
    name = f"{kind} {result}"
    COUNTS[name] = COUNTS.get(name, 0) + 1


def is_known(query: str, theirs: Answer) -> bool:
    text = f"{query} {theirs if isinstance(theirs, str) else ''}"
    return any(re.search(pattern, text) for pattern in DIFFERENCES.values())


@seed(SEED)
@RELAXED
@given(query=expressions(), minute=st.integers(5, 38))
def test_an_instant_query_gives_what_prometheus_answers(
    oracle: Both, query: str, minute: int
) -> None:
    theirs, ours = oracle.instant(query, FIRST_S + minute * 60)
    counted("instant", theirs)
    if not is_known(query, theirs):
        same_answer(theirs, ours)


@seed(SEED)
@RELAXED
@given(query=expressions(), minute=st.integers(5, 20), step_s=st.sampled_from([30, 60, 210]))
def test_a_range_query_gives_what_prometheus_answers(
    oracle: Both, query: str, minute: int, step_s: int
) -> None:
    start = FIRST_S + minute * 60
    theirs, ours = oracle.range(query, start, start + 17 * 60, step_s)
    counted("range", theirs)
    if not is_known(query, theirs):
        same_answer(theirs, ours)


@seed(SEED)
@RELAXED
@given(query=expressions())
@example("sum(rate(foo[5m]))by(a,b)")
@example("a or b and c unless on(x)d")
@example("-foo^2*(3+ -1)")
@example("foo{a='b\\'c',d=~\"x\"}@start()offset -5m")
def test_formatting_means_what_prometheus_formats(oracle: Both, query: str) -> None:
    theirs = oracle.formatted(query)
    assert theirs is not None
    assert sorted_text(theirs) == sorted_text(query)


def sorted_text(query: str) -> str:
    """Return the canonical text of a query, its matchers sorted as Prometheus' are."""

    def change(node: nodes.Expression) -> nodes.Expression:
        if not isinstance(node, nodes.VectorSelector):
            return node
        return replace(node, matchers=tuple(sorted(node.matchers, key=str)))

    return format_expression(nodes.transformed(parse(query), change))


REFUSED = """
foo{ | foo} | sum(foo | foo[5m | 1 + | * 2 | foo[] | foo[5m:] offset | foo @ | rate(foo) |
sum() by | foo offset 5 m | {} | {a=~".*"} | foo{a="b"c="d"} | abs(1) | topk(foo) |
1 == 2 | 1 and 2 | foo and bool bar | foo + on (a) group_left (a) bar |
foo and on () group_left () bar | "a" + 1 | -"a" | foo[5m] + 1 | foo[5m][5m] |
time()[5m:] | foo offset 1m offset 2m | foo @ 1 @ 2 |
label_replace(foo, 1, 2, 3, 4) | nosuch(foo) | foo{__name__="bar"} | sum(foo[5m]) |
(foo) offset 1m | foo[-5m] | foo[0] | 0x | 1e | 'unclosed | foo == bool | ! foo | foo =~ "x" |
count_values(1, foo) | foo{a=b} | foo{1="b"} | foo by (a) | sum by (a) |
sum by a (foo) | sum(foo) without | min | absent()
"""


@pytest.mark.parametrize("query", [one.strip() for one in REFUSED.split("|")])
def test_what_prometheus_refuses_or_takes_so_do_we(oracle: Both, query: str) -> None:
    theirs, ours = oracle.instant(query, FIRST_S)
    assert isinstance(theirs, str) is isinstance(ours, str), (theirs, ours)
    if isinstance(theirs, str) and "parse error" in theirs:
        assert "parse error" in str(ours), (theirs, ours)


def same_answer(theirs: Answer, ours: Answer) -> None:
    """Compare data of the API: order counts for nothing, numbers may differ by rounding."""
    if isinstance(theirs, str) or isinstance(ours, str):
        assert isinstance(theirs, str), f"we refuse: {ours}"
        assert isinstance(ours, str), f"Prometheus refuses: {theirs}"
        return
    assert ours["resultType"] == theirs["resultType"]
    if theirs["resultType"] == "scalar":
        assert same_number(theirs["result"][1], ours["result"][1])
        return
    wanted, found = (_by_labels(one["result"]) for one in (theirs, ours))
    assert found.keys() == wanted.keys()
    for labels, points in wanted.items():
        assert [one[0] for one in found[labels]] == [one[0] for one in points], labels
        for (at, one), (_, other) in zip(points, found[labels], strict=True):
            assert same_value(one, other), (labels, at, one, other)


def _by_labels(result: list[dict[str, Any]]) -> dict[frozenset[tuple[str, str]], list[Any]]:
    found = {}
    for one in result:
        points = [*one.get("values", []), *one.get("histograms", [])]
        points += [one[kind] for kind in ("value", "histogram") if kind in one]
        found[frozenset(one["metric"].items())] = sorted(points, key=lambda point: float(point[0]))
    return found


def same_value(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict) != isinstance(found, dict):
        return False
    if not isinstance(wanted, dict):
        return same_number(wanted, found)
    pairs = [(wanted[name], found[name]) for name in ("count", "sum")]
    buckets, others = wanted.get("buckets", []), found.get("buckets", [])
    if [one[0] for one in buckets] != [one[0] for one in others]:
        return False
    pairs += [
        pair
        for one, other in zip(buckets, others, strict=True)
        for pair in zip(one[1:], other[1:], strict=True)
    ]
    return all(same_number(one, other) for one, other in pairs)


def same_number(wanted: str, found: str) -> bool:
    one, other = float(wanted), float(found)
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one == other or math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=1e-12)
