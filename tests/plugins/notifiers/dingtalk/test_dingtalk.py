"""DingTalk's custom robots, signed, with their documented answers."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.alert_blocks import CUT_NOTE
from detectviz.contracts.errors import DeliveryError
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
    notification_with_actions,
)
from detectviz.testing.plugins import built_in_plugins
from plugins.notifiers.dingtalk.payload import sign

SIGNATURE = "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="

OVER = make_notification(status=AlertStatus.RESOLVED)


HOOK = "https://oapi.dingtalk.com/robot/send?access_token="
DONE = make_response(200, b'{"errcode":0,"errmsg":"ok"}')


class TestConformance(HttpNotifierSuite):
    name = "dingtalk"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    limited_wait_s = 600.0
    success = DONE
    failures = {
        "clientError": make_response(
            200, b'{"errcode":310000,"errmsg":"keywords not in content, more: [x]"}'
        ),
        "authError": make_response(200, b'{"errcode":310000,"errmsg":"sign not match"}'),
        "rateLimited": make_response(
            200, b'{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}'
        ),
        "serverError": make_response(200, '{"errcode":-1,"errmsg":"系统繁忙"}'.encode()),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        secrets: dict[str, JsonValue] = {"webhook_url": HOOK + "abc12345", "secret": self.SECRET}
        return make_notifier_context("dingtalk", {}, secrets, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "dingtalk")


def _sent(
    notifier: Notifier, notification: Notification, config: JsonObject | None = None
) -> dict[str, Any]:
    http = FakeHttp(answer=DONE)
    secrets: dict[str, JsonValue] = {"webhook_url": HOOK + "x"}
    context = make_notifier_context("dingtalk", config or {}, secrets, http=http)
    notifier.notify(notification, context)
    assert http.requests[0].url == HOOK + "x"
    assert len(http.requests[0].body) < 20_000
    return dict(json.loads(http.requests[0].body))


def test_the_address_is_signed_in_milliseconds() -> None:
    at = datetime.fromtimestamp(1577262236.757, tz=UTC)
    signed = sign(at, "this is secret")
    assert signed == {"timestamp": "1577262236757", "sign": SIGNATURE}


def test_links_or_buttons_lead_to_what_can_be_done(notifier: Notifier) -> None:
    text = _sent(notifier, notification_with_actions())["markdown"]["text"]
    assert "[Acknowledge](" in text
    card = _sent(notifier, notification_with_actions(), {"message_type": "actionCard"})[
        "actionCard"
    ]
    assert [each["title"] for each in card["btns"]] == ["Acknowledge", "Open"]


def test_people_are_called_while_something_fires(notifier: Notifier) -> None:
    config: JsonObject = {"mention_mobiles": ["18800001111"], "mention_all": True}
    message = _sent(notifier, make_notification(), config)
    assert message["at"] == {"atMobiles": ["18800001111"], "atUserIds": [], "isAtAll": True}
    assert message["markdown"]["text"].endswith("@18800001111")
    assert "at" not in _sent(notifier, OVER, config)


def test_labels_bring_no_markup_and_call_nobody(notifier: Notifier) -> None:
    text = _sent(notifier, hostile_notification())["markdown"]["text"]
    assert "<script>" not in text
    assert "@everyone" not in text


def test_a_large_group_shows_what_fits_and_counts_the_rest(notifier: Notifier) -> None:
    many = make_notification(*(make_alert(monitor="\u76d1" * 300 + str(n)) for n in range(60)))
    assert "more alerts are not shown" in _sent(notifier, many)["markdown"]["text"]


def test_an_own_message_is_cut_with_a_note(notifier: Notifier) -> None:
    text = _sent(notifier, OVER, {"message": "\u76d1" * 6_500})["markdown"]["text"]
    assert text.endswith(CUT_NOTE)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"errcode":300001,"errmsg":"token is not exist"}', "authError"),
        (b'{"errcode":40035,"errmsg":"missing parameter json"}', "clientError"),
        (b"", "serverError"),
    ],
)
def test_codes_within_a_200_have_their_class(notifier: Notifier, body: bytes, reason: str) -> None:
    http = FakeHttp(answer=make_response(200, body))
    context = make_notifier_context("dingtalk", {}, {"webhook_url": HOOK + "x"}, http=http)
    with pytest.raises(DeliveryError) as refused:
        notifier.notify(make_notification(), context)
    assert refused.value.reason == reason
