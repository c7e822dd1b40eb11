"""Mattermost's incoming webhooks and posts of bots, with their documented answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.notifier import Notification, Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, PluginKind
from detectviz.pluginhost.configuration import validate
from detectviz.testing.notifiers import (
    FakeHttp,
    HttpNotifierSuite,
    ReadableNotifierSuite,
    hostile_notification,
    make_notification,
    make_notifier_context,
    make_response,
)
from detectviz.testing.plugins import built_in_plugins

OVER = make_notification(status=AlertStatus.RESOLVED)


HOOK = "https://chat.example/hooks/"
CREATED = make_response(201, b'{"id":"post1","channel_id":"c1","root_id":""}')
BOT: JsonObject = {"server_url": "https://chat.example/", "channel_id": "c1"}
FAILURES = {
    "clientError": make_response(
        400, b'{"id":"api.post.create_post.app_error","message":"Invalid.","status_code":400}'
    ),
    "authError": make_response(
        401,
        b'{"id":"api.context.session_expired.app_error","message":"Invalid or expired session",'
        b'"status_code":401}',
    ),
    "rateLimited": make_response(429, b"limit exceeded", [("X-Ratelimit-Reset", "30")]),
    "serverError": make_response(500, b'{"id":"x","message":"oops","status_code":500}'),
}


class TestWebhookConformance(HttpNotifierSuite):
    reads_back = True
    name = "mattermost"
    recordings = Path(__file__).parent / "data" / "webhook"
    uses_actions = True
    failures = FAILURES | {
        "authError": make_response(
            400, b'{"id":"web.incoming_webhook.invalid.app_error","message":"Invalid webhook."}'
        )
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        secrets: dict[str, JsonValue] = {"webhook_url": HOOK + self.SECRET}
        return make_notifier_context("mattermost", {}, secrets, http=http)


class TestBotConformance(ReadableNotifierSuite):
    name = "mattermost"
    recordings = Path(__file__).parent / "data" / "bot"
    uses_actions = True
    success = CREATED
    found = make_response(200, b'{"id":"post1","delete_at":0}')
    failures = FAILURES

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context("mattermost", BOT, {"token": self.SECRET}, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "mattermost")


def _bot(
    http: FakeHttp, thread: JsonObject | None = None, config: JsonObject | None = None
) -> NotifierContext:
    given: JsonObject = {**BOT, **(config or {})}
    return make_notifier_context("mattermost", given, {"token": "t"}, http=http, thread=thread)


def _attachment(
    notifier: Notifier, notification: Notification, config: JsonObject
) -> dict[str, Any]:
    http = FakeHttp()
    secrets: dict[str, JsonValue] = {"webhook_url": HOOK + "x"}
    notifier.notify(notification, make_notifier_context("mattermost", config, secrets, http=http))
    return dict(json.loads(http.requests[0].body)["attachments"][0])


def test_later_posts_answer_the_first(notifier: Notifier) -> None:
    http = FakeHttp(answer=CREATED)
    first = notifier.notify(make_notification(), _bot(http))
    assert first.thread == {"post_id": "post1"}
    notifier.notify(OVER, _bot(http, {"post_id": "post0"}))
    assert json.loads(http.requests[1].body)["root_id"] == "post0"


def test_the_first_post_is_changed_where_wanted(notifier: Notifier) -> None:
    http = FakeHttp(answer=make_response(200, b'{"id":"post0"}'))
    notifier.notify(OVER, _bot(http, {"post_id": "post0"}, {"updates": "edit"}))
    (request,) = http.requests
    assert (request.method, request.url) == (
        "PUT",
        "https://chat.example/api/v4/posts/post0/patch",
    )


@pytest.mark.parametrize("updates", ["thread", "edit"])
def test_a_post_that_is_gone_is_followed_by_a_new_one(notifier: Notifier, updates: str) -> None:
    gone = make_response(404, b'{"id":"store.sql_post.get.app_error","message":"no post"}')
    http = FakeHttp(answer=CREATED, first=[gone])
    receipt = notifier.notify(OVER, _bot(http, {"post_id": "post0"}, {"updates": updates}))
    assert (len(http.requests), receipt.thread) == (2, {"post_id": "post1"})
    assert "root_id" not in json.loads(http.requests[1].body)


def test_priority_and_sender_are_sent(notifier: Notifier) -> None:
    http = FakeHttp(answer=CREATED)
    notifier.notify(make_notification(), _bot(http, None, {"priority": "urgent"}))
    body = json.loads(http.requests[0].body)
    assert body["metadata"] == {"priority": {"priority": "urgent"}}


def test_labels_bring_no_markup_and_call_nobody(notifier: Notifier) -> None:
    said = str(_attachment(notifier, hostile_notification(), {}))
    assert "@everyone" not in said
    assert "<!channel>" not in said


def test_own_texts_call_everybody_only_where_that_is_allowed(notifier: Notifier) -> None:
    config: JsonObject = {"pretext": "@channel look", "text": "own"}
    assert "@channel" not in _attachment(notifier, OVER, config)["pretext"]
    allowed = _attachment(notifier, OVER, {**config, "allow_mentions": True})
    assert (allowed["pretext"], allowed["text"]) == ("@channel look", "own")


def test_a_bot_needs_a_server_and_a_channel() -> None:
    schema = built_in_plugins().manifest(PluginKind.NOTIFIER, "mattermost").config_schema
    found = {problem.field for problem in validate(schema, {}, {"token": "x"}).problems}
    assert {"/server_url", "/channel_id"} <= found
