"""Slack's incoming webhooks and chat.postMessage, with its documented answers."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import Notifier, NotifierContext, Receipt
from detectviz.contracts.read_back import NotReadableError, ReadsBack, Told
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, PluginKind
from detectviz.pluginhost.configuration import validate
from detectviz.testing.notifiers import (
    FakeHttp,
    HttpNotifierSuite,
    ReadableNotifierSuite,
    hostile_notification,
    make_alert,
    make_notification,
    make_notifier_context,
    make_response,
    notification_with_actions,
)
from detectviz.testing.plugins import built_in_plugins

DATA = Path(__file__).parent / "data"
HOOK = "https://hooks.slack.com/services/T0/B0/"
POSTED = make_response(200, b'{"ok":true,"channel":"C0123","ts":"1503435956.000247"}')
FIRST: JsonObject = {"channel": "C0123", "ts": "1503435956.000247"}
LIMITED = make_response(
    429, b'{"ok":false,"error":"rate_limited","retry_after":30}', [("Retry-After", "30")]
)


class TestWebhookConformance(HttpNotifierSuite):
    reads_back = True
    name = "slack"
    recordings = DATA / "webhook"
    uses_actions = True
    failures = {
        "clientError": make_response(400, b"invalid_payload"),
        "authError": make_response(403, b"action_prohibited"),
        "rateLimited": LIMITED,
        "serverError": make_response(500, b"rollup_error"),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context("slack", {}, {"api_url": HOOK + self.SECRET}, http=http)


class TestBotConformance(ReadableNotifierSuite):
    name = "slack"
    recordings = DATA / "bot"
    uses_actions = True
    success = POSTED
    found = make_response(
        200, b'{"ok":true,"messages":[{"type":"message","ts":"1503435956.000247"}]}'
    )
    missing = make_response(200, b'{"ok":true,"messages":[]}')
    failures = {
        "clientError": make_response(200, b'{"ok":false,"error":"channel_not_found"}'),
        "authError": make_response(200, b'{"ok":false,"error":"invalid_auth"}'),
        "rateLimited": LIMITED,
        "serverError": make_response(200, b'{"ok":false,"error":"internal_error"}'),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        config: JsonObject = {"channel": "#ops", "post_updates_to_thread": True}
        return make_notifier_context("slack", config, {"app_token": self.SECRET}, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "slack")


def _bot(http: FakeHttp, thread: JsonObject | None = None, **config: Any) -> NotifierContext:
    return make_notifier_context(
        "slack", {"channel": "#ops", **config}, {"app_token": "xoxb-1"}, http=http, thread=thread
    )


def _sent(http: FakeHttp) -> list[tuple[str, dict[str, Any]]]:
    return [(each.url.rpartition("/")[2], json.loads(each.body)) for each in http.requests]


def _attachment(notifier: Notifier, config: JsonObject | None = None) -> dict[str, Any]:
    http = FakeHttp(answer=POSTED)
    notifier.notify(make_notification(), _bot(http, None, **(config or {})))
    ((_, message),) = _sent(http)
    return dict(message["attachments"][0])


def test_a_bot_posts_to_the_channel_and_remembers_the_message(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    receipt = notifier.notify(make_notification(), _bot(http))
    ((method, message),) = _sent(http)
    assert (method, message["channel"]) == ("chat.postMessage", "#ops")
    assert dict(http.requests[0].headers)["Authorization"] == "Bearer xoxb-1"
    assert (receipt.external_id, receipt.thread) == ("1503435956.000247", FIRST)


def _again(notifier: Notifier, http: FakeHttp, **config: JsonValue) -> Receipt:
    over = make_notification(status=AlertStatus.RESOLVED)
    return notifier.notify(over, _bot(http, FIRST, **config))


def test_later_notifications_answer_the_first_where_wanted(notifier: Notifier) -> None:
    http = FakeHttp(answer=make_response(200, b'{"ok":true,"channel":"C0123","ts":"2.2"}'))
    receipt = _again(notifier, http, post_updates_to_thread=True)
    ((method, message),) = _sent(http)
    assert (method, message["thread_ts"]) == ("chat.postMessage", FIRST["ts"])
    assert receipt.thread == FIRST


def test_later_notifications_change_the_first_where_wanted(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    receipt = _again(notifier, http, update_message=True)
    ((method, message),) = _sent(http)
    assert (method, message["channel"], message["ts"]) == ("chat.update", "C0123", FIRST["ts"])
    assert receipt.thread == FIRST


def test_both_change_the_first_and_answer_it(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    _again(notifier, http, update_message=True, post_updates_to_thread=True)
    assert [method for method, _ in _sent(http)] == ["chat.update", "chat.postMessage"]


def test_a_message_that_is_gone_is_posted_anew(notifier: Notifier) -> None:
    gone = make_response(200, b'{"ok":false,"error":"message_not_found"}')
    http = FakeHttp(
        answer=make_response(200, b'{"ok":true,"channel":"C9","ts":"9.9"}'), first=[gone]
    )
    receipt = _again(notifier, http, update_message=True, post_updates_to_thread=True)
    assert [method for method, _ in _sent(http)] == ["chat.update", "chat.postMessage"]
    assert "thread_ts" not in _sent(http)[1][1]
    assert receipt.thread == {"channel": "C9", "ts": "9.9"}


def test_alerts_are_fields_that_are_not_read_as_markup(notifier: Notifier) -> None:
    attachment = _attachment(notifier)
    assert attachment["mrkdwn_in"] == []
    assert "home is down" in str(attachment["fields"])
    assert (attachment["color"], attachment["title_link"]) == (
        "#b3261e",
        "https://detectviz.example/o/acme/alerts",
    )


def test_nothing_of_an_alert_is_a_link_or_a_mention(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    notifier.notify(hostile_notification(), _bot(http))
    body = http.requests[0].body.decode()
    assert "<!channel>" not in body
    assert "&lt;!channel&gt;" in body


def test_own_texts_take_the_place_of_the_alerts(notifier: Notifier) -> None:
    attachment = _attachment(notifier, {"text": "*own* <!here>", "title": "mine", "color": "good"})
    assert (attachment["text"], attachment["title"], attachment["color"]) == (
        "*own* &lt;!here>",
        "mine",
        "good",
    )
    assert "fields" not in attachment
    assert attachment["mrkdwn_in"] == ["text"]


def test_everybody_is_called_only_where_that_is_allowed(notifier: Notifier) -> None:
    assert _attachment(notifier, {"text": "<!here>", "allow_mentions": True})["text"] == "<!here>"


def test_own_fields_and_buttons_are_sent(notifier: Notifier) -> None:
    button: JsonObject = {
        "type": "button",
        "text": "Wiki",
        "url": "https://wiki.example/",
        "confirm": {"text": "Sure?", "ok_text": "Yes"},
    }
    fields: JsonObject = {"title": "Team", "value": "web"}
    attachment = _attachment(
        notifier, {"fields": [fields], "short_fields": True, "actions": [button]}
    )
    assert attachment["fields"] == [{"title": "Team", "value": "web", "short": True}]
    assert [each["text"] for each in attachment["actions"]] == ["Wiki", "Open"]
    assert attachment["actions"][0]["confirm"] == {"text": "Sure?", "ok_text": "Yes"}


def test_buttons_act_in_slack_where_wanted(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    notifier.notify(notification_with_actions(), _bot(http, interactive_buttons=True))
    attachment = _sent(http)[0][1]["attachments"][0]
    acknowledge, opening = attachment["actions"]
    assert (acknowledge["value"], "url" in acknowledge) == ("acknowledge:dlv_01", False)
    assert opening["url"].endswith("/alerts")
    assert attachment["callback_id"] == "detectviz"


def test_a_plain_message_has_no_coloured_part(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    notifier.notify(make_notification(), _bot(http, message_text="just this"))
    ((_, message),) = _sent(http)
    assert (message["text"], "attachments" in message) == ("just this", False)


def test_alerts_beyond_twenty_are_counted(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    many = make_notification(*(make_alert(monitor=f"m{n}") for n in range(25)), truncated_alerts=3)
    notifier.notify(many, _bot(http))
    assert "8 more alerts are not shown." in http.requests[0].body.decode()


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, b"no_service", "clientError"),
        (410, b"channel_is_archived", "clientError"),
        (403, b"invalid_token", "authError"),
    ],
)
def test_a_webhooks_own_words_are_repeated(
    notifier: Notifier, status: int, body: bytes, reason: str
) -> None:
    http = FakeHttp(answer=make_response(status, body))
    context = make_notifier_context("slack", {}, {"api_url": HOOK + "x"}, http=http)
    with pytest.raises(DeliveryError, match=body.decode()) as refused:
        notifier.notify(make_notification(), context)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("config", "secrets", "field"),
    [
        ({}, {}, "/api_url"),
        ({}, {"app_token": "x"}, "/channel"),
        ({}, {"api_url": "ftp://x.example/"}, "/api_url"),
    ],
)
def test_a_wrong_configuration_names_its_field(
    config: JsonObject, secrets: dict[str, JsonValue], field: str
) -> None:
    schema = built_in_plugins().manifest(PluginKind.NOTIFIER, "slack").config_schema
    assert field in {problem.field for problem in validate(schema, config, secrets).problems}


def test_an_answer_in_a_thread_is_looked_for_there(notifier: Notifier) -> None:
    nothing = make_response(200, b'{"ok":true,"messages":[]}')
    there = make_response(200, b'{"ok":true,"messages":[{"ts":"1.0"},{"ts":"2.0"}]}')
    http = FakeHttp(first=[nothing], answer=there)
    thread: JsonObject = {"channel": "C0123", "ts": "1.0"}
    told = Told(notification=make_notification(), external_id="2.0", thread=thread)
    assert cast("ReadsBack", notifier).read_back(told, _bot(http))
    history, replies = (each.url for each in http.requests)
    assert history.startswith("https://slack.com/api/conversations.history?channel=C0123&")
    assert replies.startswith("https://slack.com/api/conversations.replies?channel=C0123&")
    assert "ts=1.0" in replies


def test_what_a_webhook_posted_can_be_read_by_nobody(notifier: Notifier) -> None:
    context = make_notifier_context("slack", {}, {"api_url": HOOK + "x"})
    told = Told(notification=make_notification(), external_id="")
    with pytest.raises(NotReadableError, match="Set a bot token"):
        cast("ReadsBack", notifier).read_back(told, context)
