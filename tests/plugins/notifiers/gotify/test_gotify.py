"""Gotify's message API, with its documented answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.alert_blocks import CUT_NOTE
from detectviz.contracts.notifier import Notification, Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, PluginKind
from detectviz.testing.notifiers import (
    FakeHttp,
    ReadableNotifierSuite,
    hostile_notification,
    make_alert,
    make_notification,
    make_notifier_context,
    make_response,
)
from detectviz.testing.plugins import built_in_plugins

OVER = make_notification(status=AlertStatus.RESOLVED)


STORED = make_response(200, b'{"id":25,"appid":5,"message":"m","title":"t","priority":8}')


class TestConformance(ReadableNotifierSuite):
    name = "gotify"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = STORED
    found = make_response(200, b'{"messages":[{"id":25,"appid":5}],"paging":{"limit":1}}')
    missing = make_response(200, b'{"messages":[{"id":24,"appid":5}],"paging":{}}')
    failures = {
        "clientError": make_response(
            400,
            b'{"error":"Bad Request","errorCode":400,"errorDescription":"invalid character"}',
        ),
        "authError": make_response(
            401,
            b'{"error":"Unauthorized","errorCode":401,'
            b'"errorDescription":"you need to provide a valid access token or user credentials"}',
        ),
        "rateLimited": make_response(429, b"", [("Retry-After", "30")]),
        "serverError": make_response(502, b"<html>"),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        config: JsonObject = {"server_url": "https://gotify.example/"}
        secrets: dict[str, JsonValue] = {"token": self.SECRET, "client_token": self.SECRET}
        return make_notifier_context("gotify", config, secrets, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "gotify")


def _sent(
    notifier: Notifier, notification: Notification, config: JsonObject | None = None
) -> dict[str, Any]:
    http = FakeHttp(answer=STORED)
    given: JsonObject = {"server_url": "https://gotify.example/sub", **(config or {})}
    context = make_notifier_context("gotify", given, {"token": "A"}, http=http)
    assert notifier.notify(notification, context).external_id == "25"
    (request,) = http.requests
    assert request.url == "https://gotify.example/sub/message"
    assert dict(request.headers)["X-Gotify-Key"] == "A"
    return dict(json.loads(request.body))


def test_markdown_is_announced_and_leads_to_the_alerts(notifier: Notifier) -> None:
    extras = _sent(notifier, make_notification())["extras"]
    assert extras["client::display"] == {"contentType": "text/markdown"}
    assert extras["client::notification"]["click"]["url"].endswith("/o/acme/alerts")


@pytest.mark.parametrize(
    ("notification", "config", "priority"),
    [
        (make_notification(), {}, 8),
        (make_notification(make_alert(severity="warning")), {}, 5),
        (OVER, {}, 3),
        (OVER, {"priority": "9"}, 9),
        (OVER, {"priority": "99"}, 3),
    ],
)
def test_priority_goes_by_severity(
    notifier: Notifier, notification: Notification, config: JsonObject, priority: int
) -> None:
    assert _sent(notifier, notification, config)["priority"] == priority


def test_labels_bring_no_markup(notifier: Notifier) -> None:
    message = _sent(notifier, hostile_notification())["message"]
    assert "<script>" not in message
    assert "[link](" not in message


def test_an_own_message_is_cut_with_a_note(notifier: Notifier) -> None:
    assert _sent(notifier, OVER, {"message": "x" * 19_000})["message"].endswith(CUT_NOTE)
