"""Prometheus' template functions against the values its own tests and documentation give."""

import math

import pytest

from detectviz.gotemplate.errors import TemplateExecutionError
from detectviz.gotemplate.prometheus import prometheus_functions, sample
from detectviz.gotemplate.template import Template
from detectviz.gotemplate.values import Struct, Value


def answer(expression: str) -> list[Struct]:
    assert expression == "metric"
    return [
        sample({"__name__": "metric", "instance": "b"}, 21.0),
        sample({"__name__": "metric", "instance": "a"}, 11.0),
    ]


def render(source: str, value: Value = None) -> str:
    functions = prometheus_functions(query=answer, external_url="http://testhost:9090/path/prefix")
    return Template.parse(source, functions=functions).render(value)


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        ("humanize", 1234567, "1.235M"),
        ("humanize", 0.0, "0"),
        ("humanize", 1.0, "1"),
        ("humanize", 1048576.0, "1.049M"),
        ("humanize", 0.12, "120m"),
        ("humanize", -0.12, "-120m"),
        ("humanize", 1.0e-9, "1n"),
        ("humanize", 1234567.0, "1.235M"),
        ("humanize", 1e30, "1e+06Y"),
        ("humanize", math.inf, "+Inf"),
        ("humanize", -math.inf, "-Inf"),
        ("humanize", math.nan, "NaN"),
        ("humanize", "1234567", "1.235M"),
        ("humanize1024", 0.0, "0"),
        ("humanize1024", 1.0, "1"),
        ("humanize1024", 1048576.0, "1Mi"),
        ("humanize1024", 0.12, "0.12"),
        ("humanize1024", 1536, "1.5ki"),
        ("humanizeDuration", 0.0, "0s"),
        ("humanizeDuration", 1, "1s"),
        ("humanizeDuration", 60, "1m 0s"),
        ("humanizeDuration", 3600, "1h 0m 0s"),
        ("humanizeDuration", 86400, "1d 0h 0m 0s"),
        ("humanizeDuration", 86400 + 3600, "1d 1h 0m 0s"),
        ("humanizeDuration", -(86400 * 2 + 3600 * 3 + 60 * 4 + 5), "-2d 3h 4m 5s"),
        ("humanizeDuration", 899.99, "14m 59s"),
        ("humanizeDuration", 0.1, "100ms"),
        ("humanizeDuration", 0.0001, "100us"),
        ("humanizeDuration", 0.12345, "123.5ms"),
        ("humanizeDuration", 60.1, "1m 0s"),
        ("humanizeDuration", 12.345678, "12.35s"),
        ("humanizePercentage", 0.0, "0%"),
        ("humanizePercentage", 0.1234567, "12.35%"),
        ("humanizePercentage", -0.22222, "-22.22%"),
        ("humanizePercentage", 0.0001234567, "0.01235%"),
        ("humanizeTimestamp", 1435065584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
        ("humanizeTimestamp", 0, "1970-01-01 00:00:00 +0000 UTC"),
        ("humanizeTimestamp", math.inf, "+Inf"),
        ("title", "aa bb CC-dd it's", "Aa Bb CC-Dd It'S"),
        ("toUpper", "aa bb", "AA BB"),
        ("toLower", "AA bb", "aa bb"),
        ("trimSpace", "  a ", "a"),
        ("stripPort", "localhost:9090", "localhost"),
        ("stripPort", "[::1]:9090", "::1"),
        ("stripPort", "hostname", "hostname"),
        ("stripDomain", "foo.example.org:80", "foo:80"),
        ("stripDomain", "hostname", "hostname"),
        ("stripDomain", "10.0.0.1:80", "10.0.0.1:80"),
        ("stripDomain", "[::1]:80", "[::1]:80"),
        ("graphLink", 'up{a="b"}', "/graph?g0.expr=up%7Ba%3D%22b%22%7D&g0.tab=0"),
        ("tableLink", "up", "/graph?g0.expr=up&g0.tab=1"),
        ("parseDuration", "1h2m10ms", "3720.01"),
        ("safeHtml", "<b>", "<b>"),
        ('reReplaceAll "(a)b" "x$1" ', "abc", "xac"),
        ('reReplaceAll "(?P<n>a)b" "${n}$$${gone}" ', "abab", "a$a$"),
        ('reReplaceAll "x*" "-" ', "ab", "-a-b-"),
        ('match "a+" ', "aa bb", "true"),
        ('match "^b" ', "aa", "false"),
    ],
)  # fmt: skip
def test_functions_print_what_prometheus_documents(
    function: str, value: Value, expected: str
) -> None:
    assert render(f"{{{{ . | {function} }}}}", value) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('{{ range query "metric" }}{{.Labels.instance}}:{{.Value}}: {{end}}', "b:21: a:11: "),
        ('{{ range query "metric" | sortByLabel "instance" }}{{.Labels.instance}}{{end}}', "ab"),
        ('{{ query "metric" | first | value }}', "21"),
        ('{{ query "metric" | first | label "instance" }}', "b"),
        ('{{ with query "metric" }}{{ . | first | value | humanize }}{{ end }}', "21"),
        ('{{ query "metric" | first | strvalue }}', ""),
        ('{{define "x"}}{{.arg0}} {{.arg1}}{{end}}{{template "x" (args 1 "2")}}', "1 2"),
        ('{{ join ", " (stringSlice "a" "b") }}', "a, b"),
        ("{{ pathPrefix }} {{ externalURL }}", "/path/prefix http://testhost:9090/path/prefix"),
        ("{{ (1435065584.128 | toTime).Year }}", "2015"),
        (
            '{{ (toTime 1435065584.128).Format "2006-01-02T15:04:05Z07:00" }}',
            "2015-06-23T13:19:44Z",
        ),
        ("{{ 1435065584.5 | toTime }}", "2015-06-23 13:19:44.5 +0000 UTC"),
    ],
)
def test_queries_and_their_samples_can_be_used(source: str, expected: str) -> None:
    assert render(source) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ first stringSlice }}", r"first\(\) called on vector with no elements"),
        ('{{ humanize "x" }}', "invalid syntax"),
        ('{{ reReplaceAll "(" "" "a" }}', "error parsing regexp"),
        ('{{ match "a" 1 }}', "expected string; found int"),
        ("{{ toTime 1e300 }}", "is no time"),
    ],
)
def test_wrong_arguments_are_an_error_of_the_template(source: str, message: str) -> None:
    with pytest.raises(TemplateExecutionError, match=message):
        render(source)
