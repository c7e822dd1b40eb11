"""Telegram's Bot API: sendMessage, editMessageText, and its documented answers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from detectviz.contracts.alert_blocks import utf16_size
from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, PluginKind
from detectviz.testing.notifiers import (
    FakeHttp,
    HttpNotifierSuite,
    hostile_notification,
    make_alert,
    make_notification,
    make_notifier_context,
    make_response,
    notification_with_actions,
)
from detectviz.testing.plugins import built_in_plugins

SENT = make_response(200, b'{"ok":true,"result":{"message_id":77,"chat":{"id":-1001}}}')
SAME = b'{"ok":false,"error_code":400,"description":"Bad Request: message is not modified"}'
GONE = b'{"ok":false,"error_code":400,"description":"Bad Request: message to edit not found"}'
UNREADABLE = (
    b'{"ok":false,"error_code":400,"description":"Bad Request: can\'t parse entities: '
    b'Unsupported start tag \\"x\\" at byte offset 0"}'
)


class TestConformance(HttpNotifierSuite):
    name = "telegram"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = SENT
    failures = {
        "clientError": make_response(
            400, b'{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}'
        ),
        "authError": make_response(
            401, b'{"ok":false,"error_code":401,"description":"Unauthorized"}'
        ),
        "rateLimited": make_response(
            429,
            b'{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 30",'
            b'"parameters":{"retry_after":30}}',
        ),
        "serverError": make_response(
            502, b'{"ok":false,"error_code":502,"description":"Bad Gateway"}'
        ),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context(
            "telegram", {"chat_id": "-1001"}, {"bot_token": self.SECRET}, http=http
        )


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "telegram")


def _context(
    http: FakeHttp, thread: JsonObject | None = None, **config: JsonValue
) -> NotifierContext:
    given: JsonObject = {"chat_id": "-1001", **config}
    return make_notifier_context("telegram", given, {"bot_token": "1:A"}, http=http, thread=thread)


def _sent(http: FakeHttp) -> list[tuple[str, JsonObject]]:
    return [(each.url.rpartition("/")[2], json.loads(each.body)) for each in http.requests]


def test_the_first_message_is_remembered_and_answered(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    first = notifier.notify(make_notification(), _context(http))
    assert (first.external_id, first.thread) == ("77", {"message_id": 77})
    over = make_notification(status=AlertStatus.RESOLVED)
    again = notifier.notify(over, _context(http, first.thread))
    assert _sent(http)[1][1]["reply_parameters"] == {
        "message_id": 77,
        "allow_sending_without_reply": True,
    }
    assert again.thread == first.thread


def test_the_first_message_is_changed_where_wanted(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    notifier.notify(make_notification(), _context(http, {"message_id": 5}, updates="edit"))
    ((method, message),) = _sent(http)
    assert (method, message["message_id"]) == ("editMessageText", 5)


def test_a_message_that_would_not_change_is_delivered(notifier: Notifier) -> None:
    http = FakeHttp(answer=make_response(400, SAME))
    receipt = notifier.notify(
        make_notification(), _context(http, {"message_id": 5}, updates="edit")
    )
    assert receipt.thread == {"message_id": 5}


def test_a_message_that_is_gone_is_sent_anew(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT, first=[make_response(400, GONE)])
    notifier.notify(make_notification(), _context(http, {"message_id": 5}, updates="edit"))
    assert [method for method, _ in _sent(http)] == ["editMessageText", "sendMessage"]


def test_a_text_that_cannot_be_parsed_is_sent_plain(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT, first=[make_response(400, UNREADABLE)])
    notifier.notify(make_notification(), _context(http, message="<x>own"))
    (_, refused), (_, plain) = _sent(http)
    assert (refused["parse_mode"], "parse_mode" in plain) == ("HTML", False)
    assert plain["text"] == "<x>own"


def test_buttons_to_a_machine_without_a_public_name_are_left_away(notifier: Notifier) -> None:
    body = (
        b'{"ok":false,"error_code":400,"description":"Bad Request: inline keyboard button URL '
        b"'http://localhost/' is invalid: Wrong HTTP URL\"}"
    )
    http = FakeHttp(answer=SENT, first=[make_response(400, body)])
    assert notifier.notify(make_notification(), _context(http)).external_id == "77"
    (_, refused), (_, sent) = _sent(http)
    assert ("reply_markup" in refused, "reply_markup" in sent) == (True, False)


def test_buttons_act_in_telegram_where_wanted(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    notifier.notify(notification_with_actions(), _context(http, interactive_buttons=True))
    ((_, message),) = _sent(http)
    assert "'callback_data': 'acknowledge:dlv_01'" in str(message["reply_markup"])


def test_alerts_that_do_not_fit_are_counted(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    notifier.notify(
        make_notification(*(make_alert(monitor="🔥" * 40 + str(n)) for n in range(200))),
        _context(http),
    )
    text = str(_sent(http)[0][1]["text"])
    assert utf16_size(text) <= 4_096
    assert "more alerts are not shown" in text


def test_a_long_text_of_the_host_is_cut_and_says_so(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    long = replace(make_notification(), text="<&>" * 5_000, is_templated=True)
    notifier.notify(long, _context(http))
    text = str(_sent(http)[0][1]["text"])
    assert utf16_size(text) <= 4_096
    assert text.endswith("… (cut)")


def test_labels_bring_no_markup(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    notifier.notify(hostile_notification(), _context(http))
    assert "<script>" not in str(_sent(http)[0][1]["text"])


def test_topic_silence_and_protection_are_said(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    context = _context(
        http, message_thread_id="12", disable_notifications=True, protect_content=True
    )
    notifier.notify(make_notification(), context)
    ((_, message),) = _sent(http)
    named = ("message_thread_id", "disable_notification", "protect_content")
    assert [message[name] for name in named] == [12, True, True]


def test_a_bot_that_was_thrown_out_is_not_tried_again(notifier: Notifier) -> None:
    body = b'{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked"}'
    with pytest.raises(DeliveryError, match="kicked") as refused:
        notifier.notify(make_notification(), _context(FakeHttp(answer=make_response(403, body))))
    assert (refused.value.reason, refused.value.permanent) == ("authError", True)


def test_a_200_without_an_answer_of_telegram_is_no_success(notifier: Notifier) -> None:
    with pytest.raises(DeliveryError) as refused:
        notifier.notify(make_notification(), _context(FakeHttp(answer=make_response(200, b"hi"))))
    assert refused.value.reason == "serverError"
