"""Notification templates: Alertmanager's functions and the methods of its data."""

from datetime import UTC, datetime

import pytest

from detectviz.gotemplate.alertmanager import alertmanager_functions, alerts, kv, moment
from detectviz.gotemplate.errors import TemplateError
from detectviz.gotemplate.template import Template
from detectviz.gotemplate.values import Struct

NOW = datetime(2026, 1, 31, 8, 30, tzinfo=UTC)
FUNCTIONS = alertmanager_functions(now=NOW)
DATA = Struct(
    {
        "Alerts": alerts(
            [
                Struct({"Status": "firing", "Labels": kv({"job": "a"})}),
                Struct({"Status": "resolved", "Labels": kv({"job": "b"})}),
            ]
        ),
        "CommonLabels": kv({"zone": "z", "alertname": "Down", "env": "prod"}),
        "StartsAt": moment(datetime(2026, 1, 31, 7, 0, 5, tzinfo=UTC)),
        "EndsAt": moment(None),
    }
)


def render(source: str) -> str:
    return Template.parse(source, functions=FUNCTIONS).render(DATA)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ len .Alerts.Firing }}/{{ .Alerts.Resolved | len }}/{{ len .Alerts }}", "1/1/2"),
        ("{{ range .Alerts.Resolved }}{{ .Labels.job }}{{ end }}", "b"),
        ("{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}",
         "alertname=Down;env=prod;zone=z;"),
        ('{{ .CommonLabels.Names | join "," }}', "alertname,env,zone"),
        ('{{ .CommonLabels.Values | join "," }}', "Down,prod,z"),
        ('{{ (.CommonLabels.Remove (stringSlice "env" "nothing")).Names | join "," }}',
         "alertname,zone"),
        ("{{ with .CommonLabels.Remove .CommonLabels.Names }}some{{ else }}none{{ end }}", "none"),
        ("{{ .CommonLabels.SortedPairs.String }}", "alertname=Down, env=prod, zone=z"),
        ("[{{ .CommonLabels.missing }}]", "[]"),
        ('{{ "ab cd\'s" | toUpper }} {{ "AB" | toLower }} {{ "aB cD" | title }}',
         "AB CD'S ab Ab Cd"),
        ('{{ " x " | trimSpace }}{{ match "^a+$" "aaa" }}', "xtrue"),
        ('{{ reReplaceAll "(\\\\d+)" "<$1>" "a12b" }}', "a<12>b"),
        ('{{ safeHtml "<b>" }}{{ safeUrl "a?b" }}{{ urlUnescape "a%2Fb+c" }}', "<b>a?ba/b c"),
        ('{{ date "2006-01-02 15:04" .StartsAt }}', "2026-01-31 07:00"),
        ('{{ .StartsAt | tz "Asia/Taipei" | date "15:04 MST" }}', "15:00 CST"),
        ('{{ (.StartsAt | tz "Asia/Taipei").Hour }}', "15"),
        ('{{ .StartsAt | tz "Asia/Taipei" }}', "2026-01-31 15:00:05 +0800 CST"),
        ('{{ .StartsAt.Format "Jan 2" }} {{ .EndsAt.IsZero }}', "Jan 31 true"),
        ("{{ since .StartsAt }} {{ since .StartsAt | humanizeDuration }}", "1h29m55s 1h 29m 55s"),
        ('{{ (since .StartsAt).Minutes | printf "%.1f" }}', "89.9"),
        ("{{ toJson .CommonLabels }}", '{"zone":"z","alertname":"Down","env":"prod"}'),
        ('{{ (dict "a" 1).a }}{{ index (append (list 1 2) 3) 2 }}', "13"),
        ("{{ if .StartsAt.Before .EndsAt }}a{{ else }}b{{ end }}", "b"),
    ],
)  # fmt: skip
def test_functions_and_methods_are_alertmanagers(source: str, text: str) -> None:
    assert render(source) == text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('{{ tz "Mars/Base" .StartsAt }}', "unknown time zone Mars/Base"),
        ('{{ date "15:04" "now" }}', "expected a time"),
        ('{{ dict "a" }}', "a value is missing"),
        ("{{ .Nothing }}", "can't evaluate field Nothing"),
    ],
)
def test_what_is_wrong_is_said(source: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        render(source)


def test_an_error_knows_the_definition_it_happened_in() -> None:
    source = '{{ define "inner" }}\n{{ .Nothing }}{{ end }}{{ template "inner" . }}'
    with pytest.raises(TemplateError) as failed:
        render(source)
    assert (failed.value.template, failed.value.line) == ("inner", 2)
