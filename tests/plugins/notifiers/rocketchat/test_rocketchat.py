"""Rocket.Chat's chat.postMessage and incoming integrations, with their answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import Notification, Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, PluginKind
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


POSTED = make_response(
    200, b'{"ts":1481748965123,"channel":"ops","message":{"_id":"jC9","rid":"R"},"success":true}'
)
LIMITED = (
    b'{"success":false,"error":"Error, too many requests. Please slow down. You must wait 30 '
    b'seconds before trying this endpoint again. [error-too-many-requests]"}'
)
CONFIG: JsonObject = {"api_url": "https://rc.example", "channel": "#ops", "updates": "thread"}


class TestConformance(ReadableNotifierSuite):
    name = "rocketchat"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = POSTED
    found = make_response(200, b'{"message":{"_id":"jC9"},"success":true}')
    missing = make_response(400, b'{"success":false}')
    failures = {
        "clientError": make_response(400, b'{"success":false,"error":"[invalid-channel]"}'),
        "authError": make_response(
            401, b'{"status":"error","message":"You must be logged in to do this."}'
        ),
        "rateLimited": make_response(429, LIMITED),
        "serverError": make_response(503, b"<html>"),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        secrets: dict[str, JsonValue] = {"token": self.SECRET, "token_id": f"id-{self.SECRET}"}
        return make_notifier_context("rocketchat", CONFIG, secrets, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "rocketchat")


def _context(
    http: FakeHttp, thread: JsonObject | None = None, config: JsonObject | None = None
) -> NotifierContext:
    secrets: dict[str, JsonValue] = {"token": "t", "token_id": "u"}
    given: JsonObject = {**CONFIG, **(config or {})}
    return make_notifier_context("rocketchat", given, secrets, http=http, thread=thread)


def _attachment(
    notifier: Notifier, notification: Notification, config: JsonObject | None = None
) -> dict[str, Any]:
    http = FakeHttp(answer=POSTED)
    notifier.notify(notification, _context(http, None, config))
    return dict(json.loads(http.requests[0].body)["attachments"][0])


def test_later_messages_answer_the_first(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    first = notifier.notify(make_notification(), _context(http))
    assert (first.external_id, first.thread) == ("jC9", {"message_id": "jC9"})
    later = notifier.notify(OVER, _context(http, {"message_id": "old"}))
    assert json.loads(http.requests[1].body)["tmid"] == "old"
    assert later.thread == {"message_id": "old"}


def test_new_messages_have_no_thread(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    context = _context(http, {"message_id": "old"}, {"updates": "new"})
    assert notifier.notify(OVER, context).thread == {}
    assert "tmid" not in json.loads(http.requests[0].body)


def test_an_integration_needs_no_token(notifier: Notifier) -> None:
    http = FakeHttp(answer=make_response(200, b'{"success":true}'))
    secrets: dict[str, JsonValue] = {"webhook_url": "https://rc.example/hooks/a/b"}
    notifier.notify(
        make_notification(), make_notifier_context("rocketchat", {}, secrets, http=http)
    )
    (request,) = http.requests
    assert request.url == "https://rc.example/hooks/a/b"
    assert "X-Auth-Token" not in dict(request.headers)


def test_own_fields_and_buttons_are_sent(notifier: Notifier) -> None:
    attachment = _attachment(
        notifier,
        make_notification(),
        {
            "fields": [{"title": "Team", "value": "web"}],
            "short_fields": True,
            "actions": [{"text": "Wiki", "url": "https://wiki.example/"}],
            "color": "red",
            "text": "@all own",
        },
    )
    assert attachment["fields"] == [{"title": "Team", "value": "web", "short": True}]
    assert [each["text"] for each in attachment["actions"]] == ["Wiki", "Open"]
    assert attachment["color"] == "red"
    assert "@all" not in attachment["text"]


def test_a_large_group_keeps_within_5000_characters(notifier: Notifier) -> None:
    many = make_notification(*(make_alert(monitor=f"m{n}") for n in range(90)))
    attachment = _attachment(notifier, many)
    assert len(attachment["text"]) <= 4_500
    assert "more alerts are not shown" in attachment["text"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"success":false,"error":"The required \\"channel\\" param is missing"}', "clientError"),
        (b'{"success":false,"error":"error-invalid-user"}', "authError"),
        (LIMITED, "rateLimited"),
        (b"ok", "serverError"),
    ],
)
def test_a_200_without_success_is_refused(notifier: Notifier, body: bytes, reason: str) -> None:
    with pytest.raises(DeliveryError) as refused:
        notifier.notify(make_notification(), _context(FakeHttp(answer=make_response(200, body))))
    assert refused.value.reason == reason
