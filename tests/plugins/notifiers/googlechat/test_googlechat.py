"""Webhooks of Google Chat: cards, threads, and the documented answers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.network import HttpResponse
from detectviz.contracts.notifier import Notification, Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, PluginKind
from detectviz.testing.notifiers import (
    FakeHttp,
    HttpNotifierSuite,
    hostile_notification,
    make_alert,
    make_notification,
    make_notifier_context,
    make_response,
)
from detectviz.testing.plugins import built_in_plugins

OVER = make_notification(status=AlertStatus.RESOLVED)


HOOK = "https://chat.googleapis.com/v1/spaces/AAA/messages?key=k1&token="
CREATED = make_response(200, b'{"name":"spaces/AAA/messages/B.B","thread":{"name":"t"}}')


def _error(code: int, status: str) -> HttpResponse:
    body = {"error": {"code": code, "message": "no", "status": status}}
    return make_response(code, json.dumps(body).encode())


class TestConformance(HttpNotifierSuite):
    name = "googlechat"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = CREATED
    failures = {
        "clientError": _error(400, "INVALID_ARGUMENT"),
        "authError": _error(403, "PERMISSION_DENIED"),
        "rateLimited": replace(_error(429, "RESOURCE_EXHAUSTED"), headers=(("Retry-After", "30"),)),
        "serverError": _error(503, "UNAVAILABLE"),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        secrets: dict[str, JsonValue] = {"webhook_url": HOOK + self.SECRET}
        return make_notifier_context("googlechat", {}, secrets, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "googlechat")


def _request(
    notifier: Notifier, notification: Notification, config: JsonObject | None = None
) -> tuple[str, dict[str, Any]]:
    http = FakeHttp(answer=CREATED)
    secrets: dict[str, JsonValue] = {"webhook_url": HOOK + "t"}
    context = make_notifier_context("googlechat", config or {}, secrets, http=http)
    assert notifier.notify(notification, context).external_id == "spaces/AAA/messages/B.B"
    (request,) = http.requests
    assert len(request.body) < 32_000
    return request.url, json.loads(request.body)


def test_an_alert_group_is_a_thread(notifier: Notifier) -> None:
    url, fires = _request(notifier, make_notification())
    _, over = _request(notifier, OVER)
    assert "messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD" in url
    assert fires["thread"] == over["thread"]


def test_threads_are_left_where_not_wanted(notifier: Notifier) -> None:
    url, message = _request(notifier, OVER, {"updates": "new"})
    assert (url, "thread" in message) == (HOOK + "t", False)


def test_everybody_is_called_while_something_fires(notifier: Notifier) -> None:
    _, fires = _request(notifier, make_notification(), {"mention_all": True})
    _, over = _request(notifier, OVER, {"mention_all": True})
    assert (fires["text"], "text" in over) == ("<users/all>", False)


def test_labels_bring_no_markup(notifier: Notifier) -> None:
    _, message = _request(notifier, hostile_notification())
    assert "<script>" not in json.dumps(message["cardsV2"])


def test_a_large_group_is_counted(notifier: Notifier) -> None:
    many = make_notification(*(make_alert(monitor="\u76d1" * 99 + str(n)) for n in range(99)))
    _, message = _request(notifier, many)
    assert "more alerts are not shown" in json.dumps(message["cardsV2"], ensure_ascii=False)


def test_an_own_message_calls_everybody_only_where_allowed(notifier: Notifier) -> None:
    config: JsonObject = {"message": "<users/all> own"}
    assert _request(notifier, OVER, config)[1]["text"] == "@all own"
    allowed = _request(notifier, OVER, {**config, "allow_mentions": True})[1]
    assert allowed["text"] == "<users/all> own"


def test_a_webhook_that_was_deleted_is_not_tried_again(notifier: Notifier) -> None:
    secrets: dict[str, JsonValue] = {"webhook_url": HOOK + "t"}
    http = FakeHttp(answer=_error(404, "NOT_FOUND"))
    with pytest.raises(DeliveryError) as refused:
        notifier.notify(
            make_notification(), make_notifier_context("googlechat", {}, secrets, http=http)
        )
    assert (refused.value.reason, refused.value.permanent) == ("authError", True)
