"""The template language against Go's text/template."""

import pytest

from detectviz.gotemplate.builtins import GO_FUNCTIONS
from detectviz.gotemplate.errors import (
    TemplateError,
    TemplateExecutionError,
    TemplateLimitError,
    TemplateSyntaxError,
)
from detectviz.gotemplate.limits import Limits
from detectviz.gotemplate.template import Template
from detectviz.gotemplate.values import Struct, Value

DATA: dict[str, Value] = {
    "T": True,
    "I": 17,
    "F": 2.5,
    "S": "xyz",
    "SI": [3, 4, 5],
    "MS": {"two": "2", "one": "1"},
    "Empty": [],
    "Nested": {"MS": {"one": "11"}},
    "Nil": None,
}


def render(source: str, data: Value = None, **variables: Value) -> str:
    template = Template.parse(source, variables=variables)
    return template.render(DATA if data is None else data, variables=variables)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", "plain"),
        ("{{.I}} {{.F}} {{.S}} {{.T}}", "17 2.5 xyz true"),
        ("{{.SI}} {{.MS}}", "[3 4 5] map[one:1 two:2]"),
        ("{{.Nil}}", "<no value>"),
        ("{{.MS.absent}}|", "|"),
        ("{{.Nested.MS.one}}", "11"),
        ("{{$.I}}", "17"),
        ("{{$x := .I}}{{$x}}", "17"),
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}", "1"),
        ("{{(index .SI 1)}}", "4"),
        ("{{(.Nested).MS.one}}", "11"),
        # text and trim markers
        ("{{23 -}} < {{- 45}}", "23<45"),
        ("a \n{{- 1 -}}\n b", "a1b"),
        ("a {{/* remark */}} b", "a  b"),
        ("a {{- /* remark */ -}} b", "ab"),
        ("{{-3}}", "-3"),
        # constants
        ('{{"a\\tb"}}{{`\\n`}}', "a\tb\\n"),
        ("{{0x1F}} {{1e3}} {{.5}} {{'a'}}", "31 1000 0.5 97"),
        # if, with
        ("{{if .T}}yes{{else}}no{{end}}", "yes"),
        ("{{if .Empty}}1{{else if .I}}2{{else}}3{{end}}", "2"),
        ("{{if .Empty}}1{{else if .Nil}}2{{else}}3{{end}}", "3"),
        ("{{with .Nested}}{{.MS.one}}{{$.I}}{{end}}", "1117"),
        ("{{with $x := .I}}{{$x}}{{end}}", "17"),
        ("{{with .Empty}}1{{else}}{{.I}}{{end}}", "17"),
        ("{{with .Empty}}1{{else with .S}}{{.}}{{end}}", "xyz"),
        # range
        ("{{range .SI}}-{{.}}-{{end}}", "-3--4--5-"),
        ("{{range $i, $e := .SI}}{{$i}}={{$e}};{{end}}", "0=3;1=4;2=5;"),
        ("{{range $e := .SI}}{{$e}}{{end}}", "345"),
        ("{{range $k, $v := .MS}}{{$k}}:{{$v}} {{end}}", "one:1 two:2 "),
        ("{{range .Empty}}x{{else}}none{{end}}", "none"),
        ("{{range .SI}}{{if eq . 4}}{{continue}}{{end}}{{.}}{{end}}", "35"),
        ("{{range .SI}}{{if eq . 4}}{{break}}{{end}}{{.}}{{end}}", "3"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{$n := 0}}{{range .SI}}{{$n = .}}{{end}}{{$n}}", "5"),
        # pipelines and functions
        ('{{printf "%d %s" .I .S}}', "17 xyz"),
        ('{{.I | printf "%d %d" 1}}', "1 17"),
        ('{{"<a&b>" | html | printf "%s!"}}', "&lt;a&amp;b&gt;!"),
        ('{{js "it\'s"}}', "it\\'s"),
        ('{{urlquery "a b/ü"}}', "a+b%2F%C3%BC"),
        ('{{print 1 2 "x" 3}}', "1 2x3"),
        ("{{println 1 2}}", "1 2\n"),
        ("{{len .SI}} {{len .S}} {{len .MS}}", "3 3 2"),
        ('{{index .MS "two"}} {{index .SI 0}}', "2 3"),
        ("{{slice .S 1 2}} {{slice .SI 1}}", "y [4 5]"),
        ("{{not .T}} {{and 1 0 2}} {{or 0 2}} {{and 1 2}}", "false 0 2 2"),
        ("{{or .T (index .SI 99)}}", "true"),
        ("{{eq 1 2 1}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}}", "true true true true"),
        ("{{gt 1 2}} {{ge 2 1}}", "false true"),
        ('{{eq "a" "a"}} {{lt "a" "b"}} {{gt 2.5 2}}', "true true true"),
        # named templates
        ('{{define "x"}}<{{.}}>{{end}}{{template "x" .I}}', "<17>"),
        ('{{define "x"}}{{$}}{{end}}{{template "x" .S}}', "xyz"),
        ('{{block "y" .S}}[{{.}}]{{end}}', "[xyz]"),
    ],
)  # fmt: skip
def test_templates_print_what_go_prints(source: str, expected: str) -> None:
    assert render(source) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{", "1:1: unclosed action"),
        ("a\n  {{.I", "2:3: unclosed action"),
        ("{{if .T}}x", "1:11: unexpected end of template: an {{end}} is missing"),
        ("{{end}}", "1:3: unexpected {{end}}"),
        ("{{else}}", "1:3: unexpected {{else}}"),
        ("{{nope .I}}", '1:3: function "nope" not defined'),
        ("{{$x}}", '1:3: undefined variable "$x"'),
        ("{{if true}}{{$x := 1}}{{end}}{{$x}}", '1:32: undefined variable "$x"'),
        ('{{"abc}}', "1:3: unterminated quoted string"),
        ("{{/* x}}", "1:1: unclosed comment"),
        ("{{break}}", "1:3: {{break}} outside {{range}}"),
        ("{{1 | 2}}", "1:8: non executable command in pipeline"),
        ("{{(1}}", "unexpected"),
        ("{{}}", "1:3: missing value for command"),
        ("{{.I | }}", "1:8: missing value after | in command"),
        ("{{.I %}}", "1:6: unexpected character '%' in action"),
    ],
)
def test_what_can_not_be_read_is_refused_with_its_place(source: str, message: str) -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        Template.parse(source)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{index .SI 9}}", "1:3: error calling index: index out of range: 9"),
        ("{{.I.x}}", "1:3: can't evaluate field x in type int"),
        ("{{.Nil.x}}", "nil data; no entry for key 'x'"),
        ('{{template "gone"}}', '1:3: template "gone" not defined'),
        ("{{len 3}}", "error calling len: len of type int"),
        ("{{len}}", "wrong number of args for len: got 0"),
        ('{{lt 1 "a"}}', "incompatible types for comparison"),
        ("{{range .F}}{{end}}", "range can't iterate over float64"),
    ],
)
def test_what_can_not_be_carried_out_is_an_error_with_its_place(source: str, message: str) -> None:
    with pytest.raises(TemplateExecutionError) as caught:
        render(source)
    assert message in str(caught.value)


def test_a_struct_refuses_an_unknown_field() -> None:
    with pytest.raises(TemplateExecutionError, match="can't evaluate field Nope"):
        render("{{.Nope}}", Struct({"Labels": {}}))


def test_attributes_of_values_are_out_of_reach() -> None:
    for name in ("__class__", "keys", "format", "real"):
        assert render(f"{{{{.{name}}}}}", {"a": "b"}) == ""
        with pytest.raises(TemplateExecutionError):
            render(f"{{{{.{name}}}}}", "text")


def test_variables_set_beforehand_can_be_read() -> None:
    assert render("{{$labels.job}} {{$value}}", labels={"job": "api"}, value=0.25) == "api 0.25"


def test_methods_are_found_by_the_type_of_their_receiver() -> None:
    class Alerts(list[Value]):
        pass

    functions = GO_FUNCTIONS.extended(
        {}, {Alerts: {"Firing": lambda alerts: [a for a in alerts if a == "f"]}}
    )
    template = Template.parse("{{len .Alerts.Firing}}", functions=functions)
    assert template.render(Struct({"Alerts": Alerts(["f", "r", "f"])})) == "2"


@pytest.mark.parametrize(
    "source",
    [
        "{{range 5000}}0123456789abcdef{{end}}",
        "{{range 1000}}{{range 1000}}{{end}}{{end}}",
        '{{define "x"}}{{template "x"}}{{end}}{{template "x"}}',
        "{{range 1000000000}}{{end}}",
    ],
)
def test_a_template_that_takes_too_much_is_stopped(source: str) -> None:
    with pytest.raises(TemplateLimitError):
        render(source)


@pytest.mark.parametrize(
    "source",
    [
        '{{$x := "0123456789"}}{{range 30}}{{$x = print $x $x}}{{end}}',
        '{{$x := "a"}}{{range 40}}{{$x = args $x $x}}{{end}}{{$x}}',
        '{{$x := "a"}}{{range 20}}{{$x = args $x $x $x}}{{end}}{{$x}}',
        '{{printf "%999999999d" 1}}',
    ],
)
def test_values_that_grow_too_large_are_an_error(source: str) -> None:
    functions = GO_FUNCTIONS.extended(
        {"args": lambda *items: dict(zip("abc", items, strict=False))}
    )
    with pytest.raises(TemplateError):
        Template.parse(source, functions=functions).render(None)


def test_time_is_limited() -> None:
    with pytest.raises(TemplateLimitError, match="more than 0 s"):
        Template.parse("{{1}}").render(None, limits=Limits(seconds=0))


def test_deep_nesting_is_refused_while_reading() -> None:
    with pytest.raises(TemplateSyntaxError, match="nested more than"):
        Template.parse("{{" + "(" * 500 + "1" + ")" * 500 + "}}")


def test_long_sources_are_refused() -> None:
    with pytest.raises(TemplateSyntaxError, match="longer than"):
        Template.parse("x" * 70_000)


def test_definitions_of_another_template_can_be_used() -> None:
    shared = Template.parse('{{define "greet"}}hello {{.}}{{end}}')
    assert (
        Template.parse('{{template "greet" .}}').with_definitions(shared).render("x") == "hello x"
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('{{printf "%5.2f|%-5s|%05d|%x|%q|%t|%v|%%" 3.14159 "ab" 42 255 "q\\"" true 1.5}}',
         ' 3.14|ab   |00042|ff|"q\\""|true|1.5|%'),
        ('{{printf "%d" 1.5}}', "%!d(float64=1.5)"),
        ('{{printf "%s %s" "a"}}', "a %!s(MISSING)"),
        ('{{printf "%s" "a" 2}}', "a%!(EXTRA int=2)"),
        ('{{printf "%.3g %g %e" 1234.5 1e21 1.5}}', "1.23e+03 1e+21 1.500000e+00"),
        ('{{printf "%+d" 3}}', "+3"),
        ("{{999999.5}} {{1000000.0}} {{1234567.5}} {{1e21}} {{0.0001}} {{0.00001}}",
         "999999.5 1e+06 1.2345675e+06 1e+21 0.0001 1e-05"),
    ],
)  # fmt: skip
def test_numbers_and_verbs_print_as_go_prints_them(source: str, expected: str) -> None:
    assert render(source) == expected
