"""Templates of an organisation: Alertmanager's data, ours by default, never a lost notification."""

from dataclasses import replace
from typing import Any

import pytest

from apps.notifications.models import NotificationTemplate
from apps.notifications.services.previews import template_preview
from apps.notifications.services.samples import notification_sample, trial_notification
from apps.notifications.services.template_defaults import default_source
from apps.notifications.services.templates import (
    library_of,
    notification_render,
    template_check,
    template_write,
)
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.contracts.types import JsonObject
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.testing.notifiers import hostile_notification, make_alert, make_notification
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "channel": {"type": "string", "x-template": True, "default": "#all"},
        "plain": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string", "x-template": True}},
        "details": {
            "type": "object",
            "additionalProperties": {"type": "string", "x-template": True},
        },
    },
}


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def write(org: Org, template: str, name: str = "acme") -> NotificationTemplate:
    return template_write(org=org, name=name, title="", template=template, sample={}, instance=None)


def render(org: Org, config: dict[str, Any] | None = None, **receiver: str) -> Any:
    return notification_render(
        library=library_of(org_id=org.pk),
        notification=make_notification(),
        receiver={"config": config or {}, **receiver},
        schema=SCHEMA,
    )


def test_without_templates_title_and_text_are_the_short_defaults(acme: Org) -> None:
    done = render(acme)
    assert done.notification.title == "[FIRING:1] HomeDown (critical)"
    assert done.notification.text.startswith("firing: home is down")
    assert not done.notification.is_templated
    assert done.notes == ()


def test_own_templates_make_title_and_text(acme: Org) -> None:
    write(acme, '{{ define "acme.title" }}{{ .Status | toUpper }} {{ .Org }}{{ end }}')
    done = render(acme, title_template='{{ template "acme.title" . }}', text_template="{{ .URL }}!")
    assert done.notification.title == "FIRING acme"
    assert done.notification.text == "https://detectviz.example/o/acme/alerts!"
    assert done.notification.is_templated


def test_marked_settings_are_rendered_and_others_left_alone(acme: Org) -> None:
    config = {
        "channel": "#{{ .CommonLabels.severity }}",
        "plain": "{{ .Status }}",
        "tags": ["{{ .Status }}", "x"],
        "details": {"a": "{{ len .Alerts }}"},
    }
    assert render(acme, config).config == {
        "channel": "#critical",
        "plain": "{{ .Status }}",
        "tags": ["firing", "x"],
        "details": {"a": "1"},
    }


def test_a_broken_template_loses_nothing_and_says_where_it_broke(acme: Org) -> None:
    write(acme, '{{ define "acme.bad" }}\n{{ .Nothing }}{{ end }}')
    done = render(
        acme,
        {"channel": '{{ template "missing" . }}'},
        title_template="{{ .Alerts.Nope }}",
        text_template='{{ template "acme.bad" . }}',
    )
    assert done.notification.title == "[FIRING:1] HomeDown (critical)"
    assert done.notification.text.startswith("firing: home is down")
    assert done.config["channel"] == "#all"
    title, text, channel = done.notes
    assert title.startswith("the title, line 1: can't evaluate field Nope")
    assert text.startswith('"acme.bad" of the template acme, line 2: can\'t evaluate field Nothing')
    assert 'template "missing" not defined' in channel
    assert all("default is sent" in note for note in done.notes)


def test_a_template_without_end_is_stopped(acme: Org) -> None:
    endless = "{{ range 300000 }}{{ range 300000 }}x{{ end }}{{ end }}"
    done = render(acme, text_template=endless)
    assert done.notification.text.startswith("firing:")
    assert "more than" in done.notes[0]


def test_every_default_definition_prints_something_for_any_alert(acme: Org) -> None:
    library = library_of(org_id=acme.pk)
    told = replace(hostile_notification(), truncated_alerts=2)
    for name in template_check(default_source(), where="defaults"):
        if name.startswith("__") or name == "pagerduty.default.instances":
            continue
        library.expanded(f'{{{{ template "{name}" . }}}}', told, now=utc_now(), where=name)


def test_the_default_names_say_what_alertmanagers_do(acme: Org) -> None:
    library, told = library_of(org_id=acme.pk), make_notification(make_alert(monitor="home"))
    show = {
        name: library.expanded(f'{{{{ template "{name}" . }}}}', told, now=utc_now(), where=name)
        for name in ("__subject", "slack.default.title", "email.default.html", "default.message")
    }
    assert show["__subject"] == "[FIRING:1] HomeDown (critical)"
    assert show["slack.default.title"] == show["__subject"]
    assert "<th>monitor</th><td>home</td>" in show["email.default.html"]
    assert " - monitor = home\n" in show["default.message"]


def test_an_org_may_define_a_default_name_anew(acme: Org) -> None:
    write(acme, '{{ define "__subject" }}ours{{ end }}')
    assert (
        render(acme, title_template='{{ template "default.title" . }}').notification.title == "ours"
    )


def test_templates_of_another_org_are_not_seen(acme: Org) -> None:
    write(make_org("other"), '{{ define "secret" }}x{{ end }}')
    assert "secret" not in library_of(org_id=acme.pk).definitions


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ('{{ define "a" }}\n{{ if }}{{ end }}{{ end }}', "line 2"),
        ("just text", "Define something"),
        ('{{ define "a" }}{{ unknown 1 }}{{ end }}', "unknown"),
    ],
)
def test_what_is_no_template_is_refused_with_its_line(
    acme: Org, template: str, message: str
) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        write(acme, template)
    assert message in str(refused.value.fields["spec.template"])


def test_a_name_is_defined_by_one_template_only(acme: Org) -> None:
    write(acme, '{{ define "a" }}1{{ end }}')
    with pytest.raises(InvalidFieldsError) as refused:
        write(acme, '{{ define "a" }}2{{ end }}', name="second")
    assert "defined by the template acme" in str(refused.value.fields)


def test_a_preview_shows_each_definition_or_its_error(acme: Org) -> None:
    good, bad = template_preview(
        org=acme,
        template='{{ define "good" }}{{ len .Alerts }}{{ end }}'
        '{{ define "bad" }}{{ .No }}{{ end }}',
    )
    assert (good.name, good.text, good.error) == ("good", "2", "")
    assert bad.error.startswith('"bad" of the template this, line 1')


def test_a_preview_takes_any_payload(acme: Org) -> None:
    template = '{{ define "x" }}{{ range .Alerts }}{{ .Labels.a }}{{ end }}{{ end }}'
    payload = {"alerts": [{"labels": {"a": "1"}}, {"labels": {"a": "2"}, "status": "resolved"}]}
    (shown,) = template_preview(org=acme, template=template, payload=payload)
    assert shown.text == "12"
    (said,) = template_preview(org=acme, template=template, expression="{{ .Status }}")
    assert said.text == "firing"
    (wrong,) = template_preview(org=acme, template="{{ end }}")
    assert "line 1" in wrong.error


@pytest.mark.parametrize(
    "payload", [{"alerts": [3]}, {"alerts": [{"status": "odd"}]}, {"alerts": 4}]
)
def test_a_payload_that_is_none_is_refused(acme: Org, payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidFieldsError, match="alerts"):
        notification_sample(org=acme, payload=payload)


def test_what_is_gone_cannot_be_previewed(acme: Org) -> None:
    with pytest.raises(NotFoundError):
        notification_sample(org=acme, delivery="gone")
    with pytest.raises(NotFoundError):
        notification_sample(org=acme, alert="gone")


def test_a_trial_carries_the_labels_asked_for(acme: Org) -> None:
    told = trial_notification(point="ops", org="acme", labels={"team": "db"}, status="resolved")
    assert told.is_test
    assert told.common_labels["team"] == "db"
    assert told.status.value == "resolved"
    assert told.delivery_id.startswith("test-")
