"""The parser reads what Prometheus reads, and says where it stops."""

import pytest

from detectviz.promql import nodes
from detectviz.promql.errors import ParseError
from detectviz.promql.formatting import format_expression
from detectviz.promql.parser import parse
from detectviz.promql.positions import Span
from detectviz.tsdb.interface import Matcher, MatchOp

REFUSED = [
    ("", "1:1: parse error: no expression found in input"),
    ("# nothing", "1:10: parse error: no expression found in input"),
    ("1 +", "1:4: parse error: unexpected end of input"),
    ("(1", "1:3: parse error: unclosed left parenthesis"),
    ("1)", "1:2: parse error: unexpected right parenthesis ')'"),
    ('foo{a="b"', "1:10: parse error: unclosed left brace"),
    ("foo{a=b}", '1:7: parse error: unexpected identifier "b" in label matching, expected string'),
    (
        "foo{a>'b'}",
        "1:6: parse error: unexpected <op:>> in label matching, expected label matching",
    ),
    ("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
    ('{x=""}', "1:1: parse error: vector selector must contain at least one non-empty matcher"),
    ('{x=~".*"}', "1:1: parse error: vector selector must contain at least one non-empty"),
    ('foo{__name__="bar"}', '1:14: parse error: metric name must not be set twice: "foo" or "bar"'),
    ('foo{a=~"("}', "1:8: parse error: error parsing regexp:"),
    ("foo[5m", "1:7: parse error: unclosed left bracket"),
    ("foo[0]", "1:5: parse error: duration must be greater than 0"),
    ("foo[-5m]", "1:5: parse error: duration must be greater than 0"),
    ("foo[5m][5m]", "1:8: parse error: ranges only allowed for vector selectors"),
    ("foo offset 1m[5m]", "1:14: parse error: no offset modifiers allowed before range"),
    ("foo @ 1 [5m]", "1:9: parse error: no @ modifiers allowed before range"),
    ("foo offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"),
    ("foo @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"),
    ("foo @ NaN", "1:7: parse error: timestamp out of bounds for @ modifier: nan"),
    ("1 offset 1d", "1:1: parse error: offset modifier must be preceded by an instant vector"),
    ("sum(x) @ 1", "1:1: parse error: @ modifier must be preceded by an instant vector"),
    ("1 == 1", "1:1: parse error: comparisons between scalars must use BOOL modifier"),
    ("foo + bool bar", "1:7: parse error: bool modifier can only be used on comparison operators"),
    ("foo and 1", '1:1: parse error: set operator "and" not allowed in binary scalar expression'),
    ("foo[5m - 1h]", "1:5: parse error: duration must be greater than 0"),
    ("foo[5m / 0]", "1:5: parse error: duration out of range"),
    ("foo[max_of(1m)]", "1:14: parse error: unexpected right parenthesis"),
    ("a + fill(b) c", "1:10: parse error: fill value must be a number"),
    ("a + fill(1) fill_left(2) c", "1:13: parse error: missing series may be filled only once"),
    ("a or fill(1) c", "1:6: parse error: no fill modifier allowed for 'or' operation"),
    ("info(foo, bar)", "1:11: parse error: expected label selectors only"),
    ("info(foo, 1)", '1:11: parse error: expected type instant vector in call to function "info"'),
    ("foo + on(a) 1", "1:1: parse error: vector matching only allowed between instant vectors"),
    ("a and on(x) group_left b", "1:13: parse error: no grouping allowed for 'and' operation"),
    ("a * on(x) group_left(x) b", '1:5: parse error: label "x" must not occur in ON and GROUP'),
    ("foo[5m] + 1", "1:1: parse error: binary expression must contain only scalar and instant"),
    ("-foo[5m]", "1:1: parse error: unary expression only allowed on expressions of type scalar"),
    ("rate(foo)", '1:6: parse error: expected type range vector in call to function "rate", got'),
    ("sum(foo[5m])", "1:5: parse error: expected type instant vector in aggregation expression"),
    ("topk(foo)", "1:1: parse error: wrong number of arguments for aggregate expression"),
    ('sum by ("") (x)', '1:9: parse error: invalid label name for grouping: ""'),
    ("sum()", "1:1: parse error: no arguments for aggregate expression provided"),
    (
        "topk('a', foo)",
        "1:6: parse error: expected type scalar in aggregation parameter, got string",
    ),
    ("abs()", '1:1: parse error: expected 1 argument(s) in call to "abs", got 0'),
    ("round(foo, 1, 2)", '1:1: parse error: expected at most 2 argument(s) in call to "round"'),
    (
        "label_join(foo)",
        '1:1: parse error: expected at least 3 argument(s) in call to "label_join"',
    ),
    ("abs(foo,)", "1:9: parse error: trailing commas not allowed in function call args"),
    ("nosuch(foo)", '1:1: parse error: unknown function with name "nosuch"'),
    ("time()[5m:]", "1:1: parse error: subquery is only allowed on instant vector, got scalar"),
    ('"a', "1:1: parse error: unterminated quoted string"),
    ('"\\q"', "1:1: parse error: unknown escape sequence"),
    ("1a", '1:1: parse error: bad number or duration syntax: "1a"'),
    ("foo ~ bar", "1:5: parse error: unexpected character: '~'"),
    ("foo bar", '1:5: parse error: unexpected identifier "bar"'),
    ("sum(\n  foo[5m])", "2:3: parse error: expected type instant vector"),
    ("'é' + ~", "1:8: parse error: unexpected character: '~'"),
]


@pytest.mark.parametrize(("query", "message"), REFUSED)
def test_bad_syntax_is_refused_with_its_place(query: str, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(query)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("0x1F", 31.0), ("017", 15.0), ("08", 8.0), ("0", 0.0), ("1_000.5", 1000.5),
        (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("Inf", float("inf")),
        ("-inf", float("-inf")), ("5m", 300.0), ("1h30m", 5400.0), ("10ms", 0.01),
        ("+3", 3.0), ("-0.5", -0.5),
    ],
)  # fmt: skip
def test_numbers_are_read_in_every_spelling(query: str, value: float) -> None:
    node = parse(query)
    assert isinstance(node, nodes.NumberLiteral)
    assert node.value == value


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ('"a\\n\\t\\"b"', 'a\n\t"b'),
        ("`a\\n`", "a\\n"),
        ("'it\\'s'", "it's"),
        ('"\\x41\\101\\u00e9\\U0001F600"', "AA\u00e9\U0001f600"),
        ('"\\xc3\\xa9"', "\u00e9"),
        ('"\\xc5"', "\udcc5"),
    ],
)
def test_strings_are_read_in_every_spelling(query: str, value: str) -> None:
    node = parse(query)
    assert isinstance(node, nodes.StringLiteral)
    assert node.value == value


def test_positions_are_utf8_bytes() -> None:
    node = parse('label_replace(up, "é", "", "", "") + foo')
    assert isinstance(node, nodes.Binary)
    assert node.right.span == Span(start=38, end=41)


@pytest.mark.parametrize(
    ("query", "explicit"),
    [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("2 ^ 3 ^ 2", "2 ^ (3 ^ 2)"),
        ("-a ^ 2", "-(a ^ 2)"),
        ("-a * b", "(-a) * b"),
        ("a or b and c", "a or (b and c)"),
        ("a and b unless c", "(a and b) unless c"),
        ("a > b + c", "a > (b + c)"),
        ("a == bool b > c", "(a == bool b) > c"),
        ("a atan2 b + c", "(a atan2 b) + c"),
        ("a % b * c", "(a % b) * c"),
    ],
)
def test_operators_bind_as_in_prometheus(query: str, explicit: str) -> None:
    def bare(node: nodes.Expression) -> object:
        node = nodes.unwrap(node)
        if isinstance(node, nodes.Binary):
            return (node.operator, bare(node.left), bare(node.right))
        if isinstance(node, nodes.Unary):
            return (node.operator, bare(node.operand))
        return format_expression(node)

    assert bare(parse(query)) == bare(parse(explicit))


def test_selectors_take_all_their_modifiers() -> None:
    node = parse('rate(foo{a!="b", "c d"=~"e|f",}[1h30m] @ start() offset -5m)')
    assert isinstance(node, nodes.Call)
    matrix = node.arguments[0]
    assert isinstance(matrix, nodes.MatrixSelector)
    assert matrix.range_ms == 5_400_000
    assert matrix.selector.offset_ms == -300_000
    assert matrix.selector.at is nodes.Anchor.START
    assert set(matrix.selector.matchers) == {
        Matcher("__name__", MatchOp.EQUAL, "foo"),
        Matcher("a", MatchOp.NOT_EQUAL, "b"),
        Matcher("c d", MatchOp.REGEX, "e|f"),
    }


@pytest.mark.parametrize("query", ['{"foo.bar"}', '{"foo.bar", a="b"}', '{a="b", "foo.bar"}'])
def test_a_metric_name_may_be_quoted_inside_the_braces(query: str) -> None:
    node = parse(query)
    assert isinstance(node, nodes.VectorSelector)
    assert node.name == "foo.bar"


@pytest.mark.parametrize("name", ["sum", "by", "and", "offset", "start", "quantile", "a:b", ":c"])
def test_keywords_may_name_metrics(name: str) -> None:
    node = parse(name)
    assert isinstance(node, nodes.VectorSelector)
    assert node.name == name


@pytest.mark.parametrize(
    "query",
    ["SUM by (a) (x)", "sum(x) BY (a)", "sum by (a,) (x)", "sum # comment\n by (a) (x)"],
)
def test_grouping_may_stand_before_or_after(query: str) -> None:
    node = parse(query)
    assert isinstance(node, nodes.Aggregation)
    assert (node.operator, node.grouping, node.is_without) == ("sum", ("a",), False)


def test_subqueries_nest_and_take_modifiers() -> None:
    node = parse("max_over_time(rate(x[5m])[1h:30s] @ 100.5 offset 1m)")
    assert isinstance(node, nodes.Call)
    inner = node.arguments[0]
    assert isinstance(inner, nodes.Subquery)
    assert (inner.range_ms, inner.step_ms, inner.at, inner.offset_ms) == (
        3_600_000, 30_000, 100_500, 60_000,
    )  # fmt: skip


def test_deep_nesting_is_refused_not_a_crash() -> None:
    with pytest.raises(ParseError, match="nested too deeply"):
        parse("(" * 5000 + "1" + ")" * 5000)
    with pytest.raises(ParseError, match="nested too deeply"):
        parse("-" * 5000 + "x")


@pytest.mark.parametrize(
    "query",
    [
        'sum without (a, "b c") (rate(foo{x="\\n\\""}[5m] offset 1w))',
        "a * on (x) group_left (y) b",
        "a / ignoring () group_right () b",
        "max_over_time((-foo)[10m:1m] @ end())",
        "(a + b) * -c ^ 2",
        "--x",
        "rate(foo[step() + 1m] offset -range())",
        "max_over_time(foo[range():min_of(step(), 1m)] @ 5.000)",
        "a + fill_left (0) fill_right (-Inf) b",
        "a + on (x) group_left () fill_right (1) b",
        "1h30m + 5",
        '{"foo.bar", a=~"b"}',
        "foo > bool 1e+30",
        'count_values("v", {a!=""})',
    ],
)
def test_formatting_gives_back_canonical_text(query: str) -> None:
    assert format_expression(parse(query)) == query
