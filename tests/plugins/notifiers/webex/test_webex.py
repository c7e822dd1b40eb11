"""Webex' Create a Message, with its documented answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.alert_blocks import utf8_size
from detectviz.contracts.notifier import Notifier, NotifierContext
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


CREATED = make_response(200, b'{"id":"Y2lzY29","roomId":"R","created":"2026-01-31T08:30:00Z"}')


class TestConformance(ReadableNotifierSuite):
    name = "webex"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = CREATED
    found = CREATED
    failures = {
        "clientError": make_response(
            400, b'{"message":"Unable to post message.","errors":[],"trackingId":"N1"}'
        ),
        "authError": make_response(
            401, b'{"message":"The request requires a valid access token.","trackingId":"N1"}'
        ),
        "rateLimited": make_response(429, b'{"message":"slow"}', [("Retry-After", "30")]),
        "serverError": make_response(503, b""),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context(
            "webex", {"room_id": "R"}, {"bot_token": self.SECRET}, http=http
        )


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "webex")


def _context(
    http: FakeHttp, thread: JsonObject | None = None, config: JsonObject | None = None
) -> NotifierContext:
    given: JsonObject = {"room_id": "R", **(config or {})}
    return make_notifier_context("webex", given, {"bot_token": "t"}, http=http, thread=thread)


def _body(http: FakeHttp, place: int = 0) -> dict[str, Any]:
    return dict(json.loads(http.requests[place].body))


def test_later_messages_answer_the_first(notifier: Notifier) -> None:
    http = FakeHttp(answer=CREATED)
    first = notifier.notify(make_notification(), _context(http))
    assert first.thread == {"message_id": "Y2lzY29"}
    notifier.notify(OVER, _context(http, first.thread))
    assert _body(http, 1)["parentId"] == "Y2lzY29"


def test_a_first_message_that_is_gone_begins_anew(notifier: Notifier) -> None:
    http = FakeHttp(answer=CREATED, first=[make_response(404, b'{"message":"no parent"}')])
    receipt = notifier.notify(OVER, _context(http, {"message_id": "old"}))
    assert (len(http.requests), receipt.thread) == (2, {"message_id": "Y2lzY29"})


def test_bytes_and_mentions_are_kept_within_bounds(notifier: Notifier) -> None:
    http = FakeHttp(answer=CREATED)
    many = make_notification(*(make_alert(monitor="<@all>\u76d1" * 9 + str(n)) for n in range(99)))
    notifier.notify(many, _context(http))
    text = _body(http)["markdown"]
    assert utf8_size(text) <= 7_439
    assert "<@all>" not in text
    assert "more alerts are not shown" in text


def test_own_texts_call_everybody_only_where_that_is_allowed(notifier: Notifier) -> None:
    http = FakeHttp(answer=CREATED)
    notifier.notify(OVER, _context(http, None, {"message": "<@all> own"}))
    notifier.notify(OVER, _context(http, None, {"message": "<@all> own", "allow_mentions": True}))
    assert [_body(http, place)["markdown"] for place in (0, 1)] == [
        "&lt;@all> own",
        "<@all> own",
    ]
