"""Variables stand by grammar: a hostile value stays one value, in every language."""

import sqlite3

import pytest
import re2

from detectviz.contracts.datasource import TimeRange
from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.promql import nodes
from detectviz.promql.parser import parse
from detectviz.queries.errors import VariableError
from detectviz.queries.variables.builtins import builtin_variables
from detectviz.queries.variables.interpolation import interpolate, interpolate_model
from detectviz.queries.variables.model import Language, read_variables

HOSTILE = (
    "'; DROP TABLE users; --",
    '" or 1=1 --',
    '"} or vector(1) #',
    "\\'; DROP TABLE users; --",
    "\\",
    "\\\\'",
    "`; rm -rf /`",
    "a\nb",
    "a/b/ OR 1=1",
    ".*",
    "a|b",
    "${x}",
    "$__from",
    "*/ DROP TABLE users /*",
    "x') UNION SELECT password FROM users --",
    '${r["_value"]}',
    "a AND NOT b",
    "(a OR b)",
    "]] OR 1=1",
    "ünïcode ☃",
    "$$; drop",
    "$tag$",
)


def put(text: str, language: Language | str, **values: JsonValue) -> str:
    return interpolate(text, Language(language), read_variables(values))


@pytest.mark.parametrize("value", HOSTILE)
def test_sqlite_reads_back_what_was_put_in_whatever_the_quotes(value: str) -> None:
    connection = sqlite3.connect(":memory:")
    for text in ("SELECT $x", "SELECT '$x'", "SELECT 1 AS a, '${x}' -- it's a comment"):
        sql = put(text, Language.SQLITE, x=value)
        row = connection.execute(sql).fetchone()
        assert row[-1] == value
    (row,) = connection.execute(put("SELECT 1 AS ${x:identifier}", "sqlite", x=value)).fetchall()
    name = connection.execute(put('SELECT 1 AS "$x"', "sqlite", x=value)).description[0][0]
    assert name == value
    found = connection.execute(put("SELECT $x IN ($x, 'other')", "sqlite", x=value)).fetchone()
    assert found == (1,)
    connection.close()


def mysql_text(literal: str) -> str:
    """Read a MySQL string literal as the server does, refusing what ends early."""
    assert literal[0] == literal[-1] == "'"
    found, at, inside = [], 0, literal[1:-1]
    while at < len(inside):
        if inside[at] == "\\":
            at += 1
        elif inside[at] == "'":
            assert inside[at + 1] == "'", "the literal ends early"
            at += 1
        found.append(inside[at])
        at += 1
    return "".join(found)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("language", ["mysql", "clickhouse"])
def test_literals_with_backslashes_hold_their_value(language: str, value: str) -> None:
    assert mysql_text(put("$x", language, x=value)) == value
    assert mysql_text(put("'$x'", language, x=value)) == value


@pytest.mark.parametrize("value", HOSTILE)
def test_postgresql_literals_with_backslashes_are_e_strings(value: str) -> None:
    sql = put("$x", "postgresql", x=value)
    if "\\" in value:
        assert sql.startswith("E'")
        assert mysql_text(sql[1:]) == value
    else:
        assert sql == "'" + value.replace("'", "''") + "'"
    assert mysql_text(put("E'$x'", "postgresql", x=value)[1:]) == value


@pytest.mark.parametrize("value", HOSTILE)
def test_promql_matchers_hold_their_value(value: str) -> None:
    for mark in "\"'":
        plain = parse(put(f"up{{a={mark}$x{mark}}}", "promql", x=value))
        assert isinstance(plain, nodes.VectorSelector)
        assert [each.value for each in plain.matchers if each.name == "a"] == [value]
        regex = parse(put(f"up{{a=~{mark}$x{mark}}}", "promql", x=value))
        assert isinstance(regex, nodes.VectorSelector)
        (pattern,) = [each.value for each in regex.matchers if each.name == "a"]
        assert re2.fullmatch(f"(?s:{pattern})", value)
        assert not re2.fullmatch(f"(?s:{pattern})", "anything else")


def test_promql_joins_several_values_in_regular_expressions_alone() -> None:
    assert put('up{a=~"$x"}', "promql", x=["a.b", "c"]) == r'up{a=~"(a\\.b|c)"}'
    assert put('{a=~"$x"} |~ "$x"', "logql", x=["a", "b"]) == '{a=~"(a|b)"} |~ "(a|b)"'
    with pytest.raises(VariableError, match="2 values"):
        put('up{a="$x"}', "promql", x=["a", "b"])
    assert put("sum by ($x) (up)", "promql", x=["a", "b"]) == "sum by (a, b) (up)"


@pytest.mark.parametrize("value", [*HOSTILE, "a b", "or", "unless", "{__name__=~'.+'}", "up)"])
def test_promql_code_takes_names_numbers_and_durations_alone(value: str) -> None:
    with pytest.raises(VariableError):
        put("rate($x[5m])", "promql", x=value)


def test_promql_code_takes_what_is_plain() -> None:
    text = put("rate($m[$w]) > $n", "promql", m="http_requests_total", w="5m", n=0.5)
    assert text == "rate(http_requests_total[5m]) > 0.5"


def test_a_backtick_cannot_be_left() -> None:
    assert put("{a=~`$x`}", "logql", x="b.c") == r"{a=~`b\.c`}"
    with pytest.raises(VariableError, match="`"):
        put("{a=`$x`}", "logql", x="b`} or {")


@pytest.mark.parametrize("value", HOSTILE)
def test_lucene_makes_phrases(value: str) -> None:
    text = put("host:$x", "lucene", x=value)
    assert text.startswith('host:"')
    body = text[len('host:"') : -1]
    assert body.replace("\\\\", "").replace('\\"', "").count('"') == 0
    assert put('host:"$x"', "lucene", x=value) == text
    assert put("host:$x", "lucene", x=["a", "b"]) == 'host:("a" OR "b")'
    inside = put("host:/$x/", "lucene", x=value)[len("host:/") : -1]
    assert "/" not in inside.replace("\\\\", "").replace("\\/", "")


@pytest.mark.parametrize("value", HOSTILE)
def test_influxql_literals_names_and_patterns_hold(value: str) -> None:
    for text, mark in (("a = $x", "'"), ("a = '$x'", "'"), ('"$x" = 1', '"'), ("a =~ /^$x$/", "/")):
        found = put(text, "influxql", x=value)
        bare = found.replace("\\\\", "").replace(f"\\{mark}", "")
        assert bare.count(mark) == 2
        assert "\n" not in found


@pytest.mark.parametrize("value", HOSTILE)
def test_flux_texts_hold_and_are_not_interpolated(value: str) -> None:
    for text in ("r.a == $x", 'r.a == "$x"'):
        found = put(text, "flux", x=value)
        bare = found.replace("\\\\", "").replace('\\"', "").replace("\\${", "")
        assert bare.count('"') == 2
        assert "${" not in bare
    assert put("contains(value: r.a, set: $x)", "flux", x=["a", "b"]).endswith('set: ["a", "b"])')


def test_graphite_takes_parts_of_paths_alone() -> None:
    assert put("servers.$x.cpu", "graphite", x=["a", "b-1"]) == "servers.{a,b-1}.cpu"
    for value in ("a)", "a'b", "*", "a,b", "{a}"):
        with pytest.raises(VariableError):
            put("alias(servers.$x.cpu, 'x')", "graphite", x=value)


def test_urls_are_percent_encoded_and_plain_texts_are_not() -> None:
    assert put("/a/$x?b", "url", x="../b?c=1") == "/a/..%2Fb%3Fc%3D1?b"
    assert put("$x on ${y:pipe}", "plain", x="a'b", y=["c", "d"]) == "a'b on c|d"


@pytest.mark.parametrize(
    "text", ["SELECT 1 -- $x", "SELECT 1 /* $x */", "SELECT 1 /* '*/ + '$x' -- '${x}'"]
)
def test_a_comment_takes_no_variable(text: str) -> None:
    with pytest.raises(VariableError, match="comment"):
        put(text, "sql", x="1")


def test_dollar_quotes_take_no_variable() -> None:
    for text in ("SELECT $$ $x $$", "SELECT $tag$ $x $tag$"):
        with pytest.raises(VariableError):
            put(text, "postgresql", x="$tag$; DROP TABLE a; $$")


def test_sql_numbers_stay_numbers_and_texts_never_become_code() -> None:
    assert put("LIMIT $n", "mysql", n=5) == "LIMIT 5"
    assert put("id IN ($n)", "sql", n=[1, 2]) == "id IN (1, 2)"
    assert put("id IN (${n:csv})", "sql", n=["1", "2"]) == "id IN (1,2)"
    for format_ in ("raw", "csv", "pipe", "text"):
        with pytest.raises(VariableError):
            put(f"id = ${{n:{format_}}}", "sql", n="id")
    with pytest.raises(VariableError, match="IN"):
        put("id = '$n'", "sql", n=["a", "b"])
    assert put("a IN ($n)", "sql", n=["x", "y'z"]) == "a IN ('x', 'y''z')"
    assert put("FROM ${t:identifier}", "mysql", t="a`b") == "FROM `a``b`"


def test_what_is_no_variable_stays() -> None:
    text = "SELECT $__timeFilter(t), $1, ${other}, $other, $$ FROM t WHERE a = '$5'"
    assert put(text, "postgresql", x="1") == text


def test_values_are_not_looked_at_again() -> None:
    assert put("$a $b", "plain", a="$b", b="$a") == "$b $a"


def test_longer_names_are_not_cut() -> None:
    assert put("$ab ${a}b", "plain", a="1") == "$ab 1b"


def test_builtins_tell_the_range_and_the_step() -> None:
    span = TimeRange(start_ms=1_700_000_000_000, end_ms=1_700_003_600_000)
    known = builtin_variables(span, 30_000)
    text = "$__from $__to $__interval $__interval_ms $__range $__range_s $__rate_interval"
    expected = "1700000000000 1700003600000 30s 30000 3600s 3600 1m"
    assert interpolate(text, Language.PLAIN, known) == expected
    date = interpolate("${__from:date} ${__from:date:seconds}", Language.PLAIN, known)
    assert date == "2023-11-14T22:13:20.000Z 1700000000"
    rate = interpolate("rate(a[$__rate_interval])", Language.PROMQL, known)
    assert rate == "rate(a[1m])"
    assert interpolate("t > $__from", Language.SQL, known) == "t > 1700000000000"


def test_only_texts_with_a_language_are_touched() -> None:
    schema: JsonObject = {
        "properties": {
            "expr": {"type": "string", "x-language": "promql"},
            "id": {"type": "string"},
            "targets": {"items": {"properties": {"q": {"x-language": "lucene"}}}},
        }
    }
    model: JsonObject = {"expr": "$x", "id": "$x", "targets": [{"q": "$x", "z": "$x"}], "n": 1}
    found = interpolate_model(model, schema, read_variables({"x": "up"}))
    assert found == {"expr": "up", "id": "$x", "targets": [{"q": '"up"', "z": "$x"}], "n": 1}
    with pytest.raises(VariableError, match=r"^expr: "):
        interpolate_model(model, schema, read_variables({"x": "a b"}))


@pytest.mark.parametrize(
    "given",
    [{"__from": "1"}, {"a b": "1"}, {"a": {"b": 1}}, {"a": None}, {"a": ["b", []]}, {"a": "\0"}]
)  # fmt: skip
def test_wrong_variables_are_refused(given: dict[str, JsonValue]) -> None:
    with pytest.raises(VariableError):
        read_variables(given)


def test_grafanas_values_with_texts_are_understood() -> None:
    found = read_variables({"a": {"text": "All", "value": ["x", "y"]}, "b": True, "c": 1.5})
    assert [each.values for each in found.values()] == [("x", "y"), ("true",), ("1.5",)]
