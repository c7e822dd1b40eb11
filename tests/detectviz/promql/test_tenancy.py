import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectviz.promql import nodes
from detectviz.promql.errors import UnsupportedError
from detectviz.promql.formatting import format_expression
from detectviz.promql.parser import parse
from detectviz.promql.tenancy import with_tenant
from detectviz.tsdb.interface import Matcher, MatchOp
from tests.detectviz.promql.expressions import vectors

LABEL = "detectviz_tenant"
RELAXED = settings(max_examples=150)


def enforced(query: str, tenant: str = "acme") -> str:
    return format_expression(with_tenant(parse(query), label=LABEL, tenant=tenant, text=query))


def selectors_of(query: str) -> list[nodes.VectorSelector]:
    return [node for node in nodes.walk(parse(query)) if isinstance(node, nodes.VectorSelector)]


@RELAXED
@given(vectors(), st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_selector_of_the_text_sent_demands_the_tenant_exactly_once(
    query: str, tenant: str
) -> None:
    before, after = selectors_of(query), selectors_of(enforced(query, tenant))
    assert len(before) == len(after)
    for original, stamped in zip(before, after, strict=True):
        own = [matcher for matcher in stamped.matchers if matcher.name == LABEL]
        assert own == [Matcher(LABEL, MatchOp.EQUAL, tenant)]
        left = {matcher for matcher in stamped.matchers if matcher.name != LABEL}
        assert left == set(original.matchers)


@pytest.mark.parametrize(
    "query",
    [
        "up",
        '{__name__="up"}',
        '{__name__=~".+"}',
        '{"my.metric"}',
        '{"my.metric", "odd label"="x"}',
        "max_over_time(rate(a[5m])[1h:1m])",
        "a / on (job) group_left (x) b",
        "topk(scalar(k), v)",
        "quantile by (le) (scalar(q), v)",
        "absent_over_time(a[5m] offset 1h)",
        "sum(a @ end()) and vector(1) unless b",
        'label_replace(a, "dst", "$1", "src", "} or {x=\\"y\\"")',
        "a{x='\"} or up{'}",
        "a # } or b",
        'count_values("v", -(a))',
        "(((a))) == bool b",
    ],
)
def test_forms_of_selectors_are_all_found(query: str) -> None:
    for selector in selectors_of(enforced(query)):
        assert [matcher.value for matcher in selector.matchers if matcher.name == LABEL] == ["acme"]


@pytest.mark.parametrize(
    "query",
    [
        'a{detectviz_tenant="other"}',
        'a{"detectviz_tenant"=~".*"}',
        'rate({__name__="a", detectviz_tenant!=""}[5m])',
        "sum by (detectviz_tenant) (a)",
        "sum without (detectviz_tenant) (a)",
        "a * on (detectviz_tenant) b",
        "a * ignoring (detectviz_tenant) b",
        "a * on (job) group_left (detectviz_tenant) b",
        'label_replace(a, "detectviz_tenant", "other", "", "")',
        'label_replace(a, "x", "$1", "detectviz_tenant", "(.*)")',
        'label_join(a, "x", ",", "\\x64etectviz_tenant")',
        'count_values("detectviz_tenant", a)',
        "info(a)",
        'sum(info(a, {__name__="target_info"}))',
    ],
)
def test_what_names_the_label_or_implies_a_selector_is_refused(query: str) -> None:
    with pytest.raises(UnsupportedError):
        enforced(query)
