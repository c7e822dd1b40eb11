"""Matrix' client-server API: events sent once, threads and replacements."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.notifier import Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, PluginKind
from detectviz.testing.notifiers import (
    FakeHttp,
    ReadableNotifierSuite,
    hostile_notification,
    make_alert,
    make_notification,
    make_notifier_context,
    make_response,
)
from detectviz.testing.plugins import built_in_plugins

OVER = make_notification(status=AlertStatus.RESOLVED)


SENT = make_response(200, b'{"event_id":"$YUwRidLecu:example.org"}')
CONFIG: JsonObject = {"homeserver_url": "https://m.example/", "room_id": "!room:example.org"}


class TestConformance(ReadableNotifierSuite):
    name = "matrix"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = SENT
    found = make_response(
        200, b'{"event_id":"$YUwRidLecu:example.org","content":{"body":"HomeDown"}}'
    )
    missing = make_response(404, b'{"errcode":"M_NOT_FOUND","error":"Event not found."}')
    failures = {
        "clientError": make_response(400, b'{"errcode":"M_BAD_JSON","error":"no"}'),
        "authError": make_response(
            403, b'{"errcode":"M_FORBIDDEN","error":"User not in room !room:example.org"}'
        ),
        "rateLimited": make_response(
            429,
            b'{"errcode":"M_LIMIT_EXCEEDED","error":"Too many requests","retry_after_ms":30000}',
        ),
        "serverError": make_response(502, b'{"errcode":"M_UNKNOWN","error":"later"}'),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context("matrix", CONFIG, {"access_token": self.SECRET}, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "matrix")


def _context(
    http: FakeHttp, thread: JsonObject | None = None, config: JsonObject | None = None
) -> NotifierContext:
    given: JsonObject = {**CONFIG, **(config or {})}
    secrets: dict[str, JsonValue] = {"access_token": "t"}
    return make_notifier_context("matrix", given, secrets, http=http, thread=thread)


def _content(http: FakeHttp, place: int = 0) -> dict[str, Any]:
    return dict(json.loads(http.requests[place].body))


def test_a_retry_has_the_same_transaction_and_another_delivery_its_own(
    notifier: Notifier,
) -> None:
    http = FakeHttp(answer=SENT)
    for each in ("dlv_1", "dlv_1", "dlv_2"):
        notifier.notify(replace(make_notification(), delivery_id=each), _context(http))
    first, again, other = (request.url for request in http.requests)
    assert first.startswith(
        "https://m.example/_matrix/client/v3/rooms/%21room%3Aexample.org/send/m.room.message/"
    )
    assert first == again != other
    assert http.requests[0].method == "PUT"


def test_later_messages_stand_in_the_thread_of_the_first(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    first = notifier.notify(make_notification(), _context(http))
    later = notifier.notify(OVER, _context(http, first.thread))
    relation = _content(http, 1)["m.relates_to"]
    assert (relation["rel_type"], relation["event_id"]) == ("m.thread", first.external_id)
    assert later.thread == first.thread


def test_the_first_message_is_replaced_where_wanted(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    notifier.notify(OVER, _context(http, {"event_id": "$1"}, {"updates": "edit"}))
    content = _content(http)
    assert content["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$1"}
    assert content["body"] == f"* {content['m.new_content']['body']}"


def test_nobody_is_called_by_what_labels_say(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    notifier.notify(hostile_notification(), _context(http))
    assert _content(http)["m.mentions"] == {}
    assert "<script>" not in _content(http)["formatted_body"]


def test_the_room_is_called_while_something_fires(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    for each in (make_notification(), OVER):
        notifier.notify(each, _context(http, None, {"mention_room": True}))
    assert [_content(http, place)["m.mentions"] for place in (0, 1)] == [{"room": True}, {}]


def test_an_event_never_exceeds_64_kb(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    many = make_notification(*(make_alert(monitor='<"&\u76d1' * 99 + str(n)) for n in range(99)))
    notifier.notify(many, _context(http, {"event_id": "$1"}, {"updates": "edit"}))
    assert len(http.requests[0].body) < 65_000
    assert "more alerts are not shown" in _content(http)["body"]


def test_an_own_message_is_html(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    notifier.notify(OVER, _context(http, None, {"message": "<b>own</b>", "msgtype": "m.notice"}))
    content = _content(http)
    assert (content["formatted_body"], content["msgtype"]) == ("<b>own</b>", "m.notice")
