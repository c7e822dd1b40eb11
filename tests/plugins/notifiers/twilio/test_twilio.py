"""Twilio's Messages and Calls, with their documented answers."""

from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl

import pytest

from detectviz.contracts.alert_blocks import CUT_NOTE
from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import Notification, Notifier, NotifierContext
from detectviz.contracts.read_back import ReadsBack, Told
from detectviz.contracts.types import AlertStatus, JsonObject, PluginKind
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


ACCOUNT = "AC" + "0123456789abcdef" * 2
QUEUED = make_response(201, b'{"sid":"SM1","status":"queued"}')
CONFIG: JsonObject = {"account_sid": ACCOUNT, "to": "+4912345", "from": "+4954321"}
FAILURES = {
    "clientError": make_response(
        400, b'{"code":21211,"message":"The \'To\' number is not valid.","status":400}'
    ),
    "authError": make_response(401, b'{"code":20003,"message":"Authenticate","status":401}'),
    "rateLimited": make_response(
        429, b'{"code":20429,"message":"Too Many Requests","status":429}', [("Retry-After", "30")]
    ),
    "serverError": make_response(503, b'{"code":20503,"message":"Service unavailable"}'),
}


class TestTextConformance(ReadableNotifierSuite):
    name = "twilio"
    recordings = Path(__file__).parent / "data" / "sms"
    uses_actions = True
    success = QUEUED
    found = make_response(200, b'{"sid":"SM1","status":"delivered"}')
    missing = make_response(200, b'{"sid":"SM1","status":"queued"}')
    failures = FAILURES

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context("twilio", CONFIG, {"auth_token": self.SECRET}, http=http)


class TestCallConformance(ReadableNotifierSuite):
    name = "twilio"
    recordings = Path(__file__).parent / "data" / "call"
    success = QUEUED
    found = make_response(200, b'{"sid":"SM1","status":"in-progress"}')
    missing = make_response(200, b'{"sid":"SM1","status":"ringing"}')
    failures = FAILURES

    def make_context(self, http: FakeHttp) -> NotifierContext:
        config: JsonObject = {**CONFIG, "mode": "call"}
        return make_notifier_context("twilio", config, {"auth_token": self.SECRET}, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "twilio")


def _sent(
    notifier: Notifier, notification: Notification, config: JsonObject | None = None
) -> tuple[str, dict[str, str]]:
    http = FakeHttp(answer=QUEUED)
    given: JsonObject = {**CONFIG, **(config or {})}
    context = make_notifier_context("twilio", given, {"auth_token": "t"}, http=http)
    assert notifier.notify(notification, context).external_id == "SM1"
    (request,) = http.requests
    assert request.basic_auth == (str(given.get("api_key_sid") or ACCOUNT), "t")
    return request.url, dict(parse_qsl(request.body.decode()))


def test_a_text_goes_to_the_accounts_messages(notifier: Notifier) -> None:
    url, fields = _sent(notifier, make_notification())
    assert url == f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert (fields["To"], fields["From"]) == ("+4912345", "+4954321")


def test_a_text_keeps_within_the_length_that_was_chosen(notifier: Notifier) -> None:
    many = make_notification(*(make_alert(monitor=f"m{n}") for n in range(99)))
    for longest in (70, 160, 480, 1_600):
        _, fields = _sent(notifier, many, {"max_length": longest})
        assert len(fields["Body"]) <= longest
    assert "more alerts are not shown" in fields["Body"]
    assert _sent(notifier, many, {"message": "x" * 900})[1]["Body"].endswith(CUT_NOTE)


def test_a_messaging_service_and_an_api_key_are_used(notifier: Notifier) -> None:
    config: JsonObject = {"messaging_service_sid": "MG1", "api_key_sid": "SK" + "a" * 32}
    _, fields = _sent(notifier, make_notification(), config)
    assert (fields["MessagingServiceSid"], "From" in fields) == ("MG1", False)


def test_a_call_says_the_title_and_nothing_of_it_is_markup(notifier: Notifier) -> None:
    config: JsonObject = {"mode": "call", "message": "</Say><Dial>+1</Dial> & co", "repeat": 3}
    url, fields = _sent(notifier, make_notification(), config)
    assert url.endswith("/Calls.json")
    assert fields["Twiml"] == (
        '<Response><Pause/><Say language="en-US" loop="3">'
        "&lt;/Say&gt;&lt;Dial&gt;+1&lt;/Dial&gt; &amp; co</Say></Response>"
    )


def test_a_call_keeps_within_4000_characters(notifier: Notifier) -> None:
    _, fields = _sent(notifier, make_notification(), {"mode": "call", "message": "&" * 3_000})
    assert len(fields["Twiml"]) <= 4_000
    assert fields["Twiml"].endswith("</Say></Response>")


def test_a_text_that_was_lost_on_the_way_is_told(notifier: Notifier) -> None:
    lost = b'{"sid":"SM1","status":"undelivered","error_message":"Unreachable destination"}'
    http = FakeHttp(answer=make_response(200, lost))
    context = make_notifier_context("twilio", CONFIG, {"auth_token": "t"}, http=http)
    told = Told(notification=make_notification(), external_id="SM1")
    with pytest.raises(DeliveryError, match="undelivered Unreachable destination"):
        cast("ReadsBack", notifier).read_back(told, context)
