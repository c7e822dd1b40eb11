"""PagerDuty's Events API v2 and its documented answers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from detectviz.contracts.notifier import Notification, Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, PluginKind
from detectviz.testing.notifiers import (
    FakeHttp,
    HttpNotifierSuite,
    make_alert,
    make_notification,
    make_notifier_context,
    make_response,
)
from detectviz.testing.plugins import built_in_plugins

ACCEPTED = make_response(
    202, b'{"status":"success","message":"Event processed","dedup_key":"srv01/HTTP"}'
)


class TestConformance(HttpNotifierSuite):
    name = "pagerduty"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = ACCEPTED
    failures = {
        "clientError": make_response(
            400,
            b'{"status":"invalid event","message":"Event object is invalid",'
            b'"errors":["Length of \'payload.summary\' is incorrect"]}',
        ),
        "authError": make_response(
            400,
            b'{"status":"invalid event","message":"Event object is invalid",'
            b'"errors":["Invalid \'routing_key\'"]}',
        ),
        "rateLimited": make_response(
            429, b'{"status":"throttle exceeded"}', [("Retry-After", "30")]
        ),
        "serverError": make_response(500, b""),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context("pagerduty", {}, {"routing_key": self.SECRET}, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "pagerduty")


def _event(
    notifier: Notifier, notification: Notification, config: JsonObject | None = None
) -> JsonObject:
    http = FakeHttp(answer=ACCEPTED)
    secrets: dict[str, JsonValue] = {"routing_key": "k"}
    context = make_notifier_context("pagerduty", config or {}, secrets, http=http)
    assert notifier.notify(notification, context).external_id == "srv01/HTTP"
    event = json.loads(http.requests[0].body)
    assert isinstance(event, dict)
    return event


def _payload(event: JsonObject) -> JsonObject:
    payload = event["payload"]
    assert isinstance(payload, dict)
    return payload


def test_firing_triggers_and_resolved_resolves_the_same_incident(notifier: Notifier) -> None:
    fires = _event(notifier, make_notification())
    over = _event(notifier, make_notification(status=AlertStatus.RESOLVED))
    assert (fires["event_action"], over["event_action"]) == ("trigger", "resolve")
    assert fires["dedup_key"] == over["dedup_key"]
    assert "payload" not in over


def test_another_group_is_another_incident(notifier: Notifier) -> None:
    other = replace(make_notification(), group_key="{}:{}")
    assert (
        _event(notifier, make_notification())["dedup_key"] != _event(notifier, other)["dedup_key"]
    )


def test_severity_and_source_come_from_the_alerts(notifier: Notifier) -> None:
    alert = make_alert(severity="warning", instance="db1")
    payload = _payload(_event(notifier, make_notification(alert)))
    assert (payload["severity"], payload["source"]) == ("warning", "db1")


def test_own_fields_are_sent(notifier: Notifier) -> None:
    event = _event(
        notifier,
        make_notification(),
        {
            "description": "mine\nall mine",
            "severity": "Error",
            "class": "ping",
            "details": {"team": "web"},
            "links": [{"href": "https://wiki.example/", "text": "Wiki"}],
            "images": [{"src": "https://x.example/a.png", "alt": "a"}],
        },
    )
    payload = _payload(event)
    assert [payload[name] for name in ("summary", "severity", "class")] == [
        "mine all mine",
        "error",
        "ping",
    ]
    assert "'team': 'web'" in str(payload["custom_details"])
    assert "Wiki" in str(event["links"])
    assert event["images"] == [{"src": "https://x.example/a.png", "alt": "a"}]


def test_a_summary_keeps_within_1024_characters(notifier: Notifier) -> None:
    payload = _payload(_event(notifier, make_notification(), {"description": "x" * 3_000}))
    assert len(str(payload["summary"])) == 1_024


def test_details_that_are_too_large_are_left_out_and_said_so(notifier: Notifier) -> None:
    large: JsonObject = {"details": {f"k{n}": "\u76d1" * 4_096 for n in range(50)}}
    payload = _payload(_event(notifier, make_notification(), large))
    assert "too large" in str(payload["custom_details"])
