"""Opsgenie's Alert API: create, close and update, with its documented answers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.alert_blocks import CUT_NOTE
from detectviz.contracts.notifier import Notification, Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, PluginKind
from detectviz.testing.notifiers import (
    FakeHttp,
    ReadableNotifierSuite,
    make_alert,
    make_notification,
    make_notifier_context,
    make_response,
)
from detectviz.testing.plugins import built_in_plugins

OVER = make_notification(status=AlertStatus.RESOLVED)


ACCEPTED = make_response(
    202, b'{"result":"Request will be processed","took":0.302,"requestId":"43a29c5c"}'
)


class TestConformance(ReadableNotifierSuite):
    name = "opsgenie"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = ACCEPTED
    found = make_response(
        200, b'{"data":{"success":true,"action":"Create"},"requestId":"43a29c5c"}'
    )
    failures = {
        "clientError": make_response(
            422, b'{"message":"Request body is not processable. Please check the errors."}'
        ),
        "authError": make_response(401, b'{"message":"Could not authenticate"}'),
        "rateLimited": make_response(
            429, b'{"message":"You are making too many requests!"}', [("Retry-After", "30")]
        ),
        "serverError": make_response(503, b'{"message":"Service unavailable"}'),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context("opsgenie", {}, {"api_key": self.SECRET}, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "opsgenie")


def _sent(
    notifier: Notifier, notification: Notification, config: JsonObject | None = None
) -> list[tuple[str, str, dict[str, Any]]]:
    http = FakeHttp(answer=ACCEPTED)
    context = make_notifier_context("opsgenie", config or {}, {"api_key": "k"}, http=http)
    assert notifier.notify(notification, context).external_id == "43a29c5c"
    return [(each.method, each.url, json.loads(each.body)) for each in http.requests]


def test_the_alert_that_was_created_is_closed_by_its_alias(notifier: Notifier) -> None:
    ((_, url, created),) = _sent(notifier, make_notification())
    ((method, closing, _),) = _sent(notifier, OVER)
    assert url == "https://api.opsgenie.com/v2/alerts"
    assert (method, closing) == ("POST", f"{url}/{created['alias']}/close?identifierType=alias")


def test_an_open_alert_is_changed_where_wanted(notifier: Notifier) -> None:
    sent = _sent(notifier, make_notification(), {"update_alerts": True, "message": "m" * 200})
    assert [method for method, _, _ in sent] == ["POST", "PUT", "PUT"]
    assert len(sent[1][2]["message"]) == 130


def test_responders_tags_and_priority_are_sent(notifier: Notifier) -> None:
    config: JsonObject = {
        "responders": [
            {"type": "teams", "name": "web, db"},
            {"type": "user", "username": "a@b.example"},
        ],
        "tags": "one, two",
        "priority": "p2",
        "details": {"k": "v"},
    }
    ((_, _, alert),) = _sent(notifier, make_notification(), config)
    assert alert["responders"] == [
        {"type": "team", "name": "web"},
        {"type": "team", "name": "db"},
        {"type": "user", "username": "a@b.example"},
    ]
    assert (alert["tags"], alert["priority"], alert["details"]["k"]) == (["one", "two"], "P2", "v")


def test_priority_goes_by_severity(notifier: Notifier) -> None:
    ((_, _, alert),) = _sent(notifier, make_notification(make_alert(severity="info")))
    assert alert["priority"] == "P5"


def test_a_description_that_does_not_fit_says_so(notifier: Notifier) -> None:
    long = replace(make_notification(), text="x" * 20_000, is_templated=True)
    ((_, _, alert),) = _sent(notifier, long)
    assert len(alert["description"]) <= 15_000
    assert CUT_NOTE in alert["description"]
