"""LINE's push messages, sent once, with their documented answers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.alert_blocks import CUT_NOTE
from detectviz.contracts.notifier import Notification, Notifier, NotifierContext, Receipt
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

OVER = make_notification(status=AlertStatus.RESOLVED)


SENT = make_response(200, b'{"sentMessages":[{"id":"461230966842064897","quoteToken":"q"}]}')


class TestConformance(HttpNotifierSuite):
    name = "line"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = SENT
    failures = {
        "clientError": make_response(
            400,
            b'{"message":"The request body has 1 error(s)","details":[{"message":"May not be '
            b'empty","property":"messages[0].text"}]}',
        ),
        "authError": make_response(
            401, b'{"message":"Authentication failed. Confirm that the access token is valid."}'
        ),
        "rateLimited": make_response(
            429,
            b'{"message":"The API rate limit has been exceeded. Try again later."}',
            [("Retry-After", "30")],
        ),
        "serverError": make_response(500, b'{"message":"Internal server error"}'),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        secrets: dict[str, JsonValue] = {"channel_access_token": self.SECRET}
        return make_notifier_context("line", {"to": "U1"}, secrets, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "line")


def _notify(
    notifier: Notifier,
    http: FakeHttp,
    notification: Notification,
    config: JsonObject | None = None,
) -> Receipt:
    secrets: dict[str, JsonValue] = {"channel_access_token": "t"}
    given: JsonObject = {"to": "U1", **(config or {})}
    return notifier.notify(notification, make_notifier_context("line", given, secrets, http=http))


def _message(http: FakeHttp) -> dict[str, Any]:
    (message,) = json.loads(http.requests[0].body)["messages"]
    return dict(message)


def test_a_retry_has_the_same_key_and_another_delivery_its_own(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    for each in ("dlv_1", "dlv_1", "dlv_2"):
        _notify(notifier, http, replace(make_notification(), delivery_id=each))
    first, again, other = (dict(each.headers)["X-Line-Retry-Key"] for each in http.requests)
    assert first == again != other
    assert len(first) == 36


def test_a_key_that_was_accepted_before_is_delivered(notifier: Notifier) -> None:
    body = b'{"message":"The retry key is already accepted","sentMessages":[{"id":"7"}]}'
    http = FakeHttp(answer=make_response(409, body))
    assert _notify(notifier, http, make_notification()).external_id == "7"


def test_a_card_has_the_severitys_colour_and_counts_what_it_leaves_out(
    notifier: Notifier,
) -> None:
    http = FakeHttp(answer=SENT)
    many = make_notification(*(make_alert(monitor="\u76d1" * 150 + str(n)) for n in range(40)))
    _notify(notifier, http, many)
    message = _message(http)
    assert message["contents"]["header"]["backgroundColor"] == "#b3261e"
    assert "30 more alerts are not shown" in str(message)
    assert len(json.dumps(message["contents"], ensure_ascii=False).encode()) < 30_000


def test_an_own_message_is_a_text(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    config: JsonObject = {"message": "x" * 6_000, "notification_disabled": True}
    _notify(notifier, http, OVER, config)
    assert _message(http)["text"].endswith(CUT_NOTE)
    assert len(_message(http)["text"]) == 5_000
    assert json.loads(http.requests[0].body)["notificationDisabled"] is True
