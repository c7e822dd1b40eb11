"""Custom bots of Feishu and Lark, signed, with their documented answers."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

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
)
from detectviz.testing.plugins import built_in_plugins
from plugins.notifiers.feishu.payload import sign

SIGNATURE = "UNvK0aHeWrPUMl0ySOUpIoYdvBDU1mnjgkbX5JtMxkk="

OVER = make_notification(status=AlertStatus.RESOLVED)


HOOK = "https://open.feishu.cn/open-apis/bot/v2/hook/"
DONE = make_response(200, b'{"code":0,"msg":"success","data":{}}')


class TestConformance(HttpNotifierSuite):
    name = "feishu"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    limited_wait_s = 60.0
    success = DONE
    failures = {
        "clientError": make_response(200, b'{"code":9499,"msg":"Bad Request","data":{}}'),
        "authError": make_response(
            200,
            b'{"code":19021,"msg":"sign match fail or timestamp is not within one hour from '
            b'current time"}',
        ),
        "rateLimited": make_response(200, b'{"code":11232,"msg":"frequency limited"}'),
        "serverError": make_response(500, b""),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        secrets: dict[str, JsonValue] = {"webhook_url": HOOK + "abc12345", "secret": self.SECRET}
        return make_notifier_context("feishu", {}, secrets, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "feishu")


def _sent(
    notifier: Notifier, notification: Notification, config: JsonObject | None = None
) -> dict[str, Any]:
    http = FakeHttp(answer=DONE)
    context = make_notifier_context("feishu", config or {}, {"webhook_url": HOOK + "x"}, http=http)
    notifier.notify(notification, context)
    assert len(http.requests[0].body) < 20_000
    return dict(json.loads(http.requests[0].body))


def test_the_signature_is_that_of_the_documentation() -> None:
    # HMAC-SHA256 of nothing with the key "1599360473\\nSECdemo", computed independently.
    at = datetime.fromtimestamp(1599360473, tz=UTC)
    assert sign(at, "SECdemo") == {
        "timestamp": "1599360473",
        "sign": SIGNATURE,
    }


def test_without_a_secret_nothing_is_signed(notifier: Notifier) -> None:
    assert "sign" not in _sent(notifier, make_notification())


def test_texts_of_alerts_stand_where_no_marks_are_read(notifier: Notifier) -> None:
    elements = _sent(notifier, hostile_notification())["card"]["elements"]
    marked = [each["content"] for each in elements if each["tag"] == "markdown"]
    assert marked == ["[Source](https://detectviz.example/o/acme/alerts/1)"]


@pytest.mark.parametrize(
    ("notification", "colour"),
    [
        (make_notification(), "red"),
        (make_notification(make_alert(severity="warning")), "orange"),
        (OVER, "green"),
    ],
)
def test_the_header_has_the_severitys_colour(
    notifier: Notifier, notification: Notification, colour: str
) -> None:
    assert _sent(notifier, notification)["card"]["header"]["template"] == colour


def test_a_large_group_shows_what_fits_and_counts_the_rest(notifier: Notifier) -> None:
    many = make_notification(*(make_alert(monitor="\u76d1" * 300 + str(n)) for n in range(60)))
    assert "more alerts are not shown" in str(_sent(notifier, many))


def test_people_are_called_while_something_fires(notifier: Notifier) -> None:
    config: JsonObject = {"mentions": ["ou_1", "x></at><at id=all"]}
    called = str(_sent(notifier, make_notification(), config))
    assert "<at id=ou_1></at>" in called
    assert "id=all" not in called
    assert "<at" not in str(_sent(notifier, OVER, config))


def test_own_texts_call_everybody_only_where_that_is_allowed(notifier: Notifier) -> None:
    config: JsonObject = {"message": 'see <at id=all></at> <at id="ou_1"></at>'}
    assert "id=all" not in str(_sent(notifier, OVER, config))
    assert "id=all" in str(_sent(notifier, OVER, {**config, "allow_mentions": True}))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"code":19024,"msg":"Key Words Not Found"}', "clientError"),
        (b'{"code":19022,"msg":"Ip Not Allowed"}', "authError"),
        (
            b'{"StatusCode":19001,"StatusMessage":"param invalid"}',
            "authError",
        ),
        (b"<html>", "serverError"),
    ],
)
def test_codes_within_a_200_have_their_class(notifier: Notifier, body: bytes, reason: str) -> None:
    http = FakeHttp(answer=make_response(200, body))
    context = make_notifier_context("feishu", {}, {"webhook_url": HOOK + "x"}, http=http)
    with pytest.raises(DeliveryError) as refused:
        notifier.notify(make_notification(), context)
    assert refused.value.reason == reason


def test_an_old_bots_answer_is_understood(notifier: Notifier) -> None:
    http = FakeHttp(answer=make_response(200, b'{"StatusCode":0,"StatusMessage":"success"}'))
    context = make_notifier_context("feishu", {}, {"webhook_url": HOOK + "x"}, http=http)
    assert notifier.notify(make_notification(), context).status_code == 200
