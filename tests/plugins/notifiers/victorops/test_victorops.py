"""Splunk On-Call's REST endpoint, with its documented answers."""

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
    HttpNotifierSuite,
    make_notification,
    make_notifier_context,
    make_response,
)
from detectviz.testing.plugins import built_in_plugins

OVER = make_notification(status=AlertStatus.RESOLVED)


TAKEN = make_response(200, b'{"result":"success","entity_id":"e1"}')


class TestConformance(HttpNotifierSuite):
    name = "victorops"
    recordings = Path(__file__).parent / "data"
    success = TAKEN
    failures = {
        "clientError": make_response(
            200, b'{"result":"failure","message":"Could not find message_type"}'
        ),
        "authError": make_response(403, b'{"result":"failure","message":"key not active"}'),
        "rateLimited": make_response(429, b"", [("Retry-After", "30")]),
        "serverError": make_response(200, b"<html>maintenance</html>"),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        config: JsonObject = {"routing_key": "team one"}
        return make_notifier_context("victorops", config, {"api_key": self.SECRET}, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "victorops")


def _sent(
    notifier: Notifier, notification: Notification, config: JsonObject | None = None
) -> tuple[str, dict[str, Any]]:
    http = FakeHttp(answer=TAKEN)
    given: JsonObject = {"routing_key": "team one", **(config or {})}
    context = make_notifier_context("victorops", given, {"api_key": "k"}, http=http)
    assert notifier.notify(notification, context).external_id == "e1"
    return http.requests[0].url, json.loads(http.requests[0].body)


def test_key_and_team_are_in_the_address(notifier: Notifier) -> None:
    url, _ = _sent(notifier, make_notification())
    assert url == ("https://alert.victorops.com/integrations/generic/20131114/alert/k/team%20one")


def test_recovery_ends_the_same_entity(notifier: Notifier) -> None:
    _, fires = _sent(notifier, make_notification())
    _, over = _sent(notifier, OVER)
    assert (fires["message_type"], over["message_type"]) == ("CRITICAL", "RECOVERY")
    assert fires["entity_id"] == over["entity_id"]


def test_own_fields_are_sent_and_replace_nothing_of_ours(notifier: Notifier) -> None:
    config: JsonObject = {
        "message_type": "warning",
        "entity_display_name": "mine",
        "custom_fields": {"team": "web", "entity_id": "evil"},
    }
    _, incident = _sent(notifier, make_notification(), config)
    assert (incident["message_type"], incident["entity_display_name"]) == ("WARNING", "mine")
    assert (incident["team"], incident["entity_id"] == "evil") == ("web", False)


def test_a_message_that_does_not_fit_says_so(notifier: Notifier) -> None:
    _, incident = _sent(notifier, make_notification(), {"state_message": "x" * 19_000 + "y" * 900})
    assert len(incident["state_message"]) <= 20_480
    long = replace(make_notification(), text="x" * 30_000, is_templated=True)
    assert _sent(notifier, long)[1]["state_message"].endswith(CUT_NOTE)
