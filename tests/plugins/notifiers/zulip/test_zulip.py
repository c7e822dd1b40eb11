"""Zulip's messages API, with its documented answers."""

from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from detectviz.contracts.notifier import Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, PluginKind
from detectviz.pluginhost.configuration import validate
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


SENT = make_response(200, b'{"id":42,"msg":"","result":"success"}')
CONFIG: JsonObject = {
    "server_url": "https://z.example/",
    "email": "bot@z.example",
    "stream": "ops",
}


class TestConformance(ReadableNotifierSuite):
    name = "zulip"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = SENT
    found = make_response(
        200, b'{"result":"success","msg":"","message":{"id":42,"content":"HomeDown"}}'
    )
    missing = make_response(
        400, b'{"code":"BAD_REQUEST","msg":"Invalid message(s)","result":"error"}'
    )
    failures = {
        "clientError": make_response(
            400, b'{"code":"STREAM_DOES_NOT_EXIST","msg":"Channel does not exist","result":"error"}'
        ),
        "authError": make_response(
            401, b'{"code":"INVALID_API_KEY","msg":"Invalid API key","result":"error"}'
        ),
        "rateLimited": make_response(
            429,
            b'{"code":"RATE_LIMIT_HIT","msg":"API usage exceeded rate limit","result":"error",'
            b'"retry-after":30.0}',
        ),
        "serverError": make_response(500, b""),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context("zulip", CONFIG, {"api_key": self.SECRET}, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "zulip")


def _context(
    http: FakeHttp, thread: JsonObject | None = None, config: JsonObject | None = None
) -> NotifierContext:
    given: JsonObject = {**CONFIG, **(config or {})}
    return make_notifier_context("zulip", given, {"api_key": "k"}, http=http, thread=thread)


def _fields(http: FakeHttp, place: int = 0) -> dict[str, str]:
    return dict(parse_qsl(http.requests[place].body.decode()))


def test_a_group_has_its_topic_in_the_channel(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    assert notifier.notify(make_notification(), _context(http)).external_id == "42"
    fields = _fields(http)
    assert [fields[name] for name in ("type", "to", "topic")] == ["stream", "ops", "HomeDown"]
    assert http.requests[0].basic_auth == ("bot@z.example", "k")


def test_people_are_written_to_where_there_is_no_channel(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    config: JsonObject = {"stream": "", "to_users": ["a@z.example"]}
    notifier.notify(make_notification(), _context(http, None, config))
    assert (_fields(http)["type"], _fields(http)["to"]) == ("private", '["a@z.example"]')


def test_the_first_message_is_changed_where_wanted(notifier: Notifier) -> None:
    http = FakeHttp(answer=make_response(200, b'{"msg":"","result":"success"}'))
    notifier.notify(OVER, _context(http, {"message_id": "7"}, {"updates": "edit"}))
    (request,) = http.requests
    assert (request.method, request.url) == ("PATCH", "https://z.example/api/v1/messages/7")


def test_a_message_too_old_to_be_changed_is_followed_by_a_new_one(notifier: Notifier) -> None:
    body = b'{"code":"BAD_REQUEST","msg":"The time limit for editing this message has passed"}'
    http = FakeHttp(answer=SENT, first=[make_response(400, body)])
    receipt = notifier.notify(OVER, _context(http, {"message_id": "7"}, {"updates": "edit"}))
    assert (len(http.requests), receipt.thread) == (2, {"message_id": "42"})


def test_labels_call_nobody_and_bring_no_markup(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    alert = make_alert(monitor="@**all** #**ops** [x](javascript:1) `c`")
    notifier.notify(make_notification(alert), _context(http))
    content = _fields(http)["content"]
    assert "@**" not in content
    assert "#**" not in content
    assert "](javascript" not in content


def test_own_texts_call_everybody_only_where_that_is_allowed(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    config: JsonObject = {"message": "@**all** own", "topic": "t" * 90}
    notifier.notify(OVER, _context(http, None, config))
    notifier.notify(OVER, _context(http, None, {**config, "allow_mentions": True}))
    assert "@**all**" not in _fields(http)["content"]
    assert "@**all** own" in _fields(http, 1)["content"]
    assert len(_fields(http)["topic"]) == 60


def test_without_a_channel_people_are_needed() -> None:
    schema = built_in_plugins().manifest(PluginKind.NOTIFIER, "zulip").config_schema
    config: JsonObject = {"server_url": "https://z.example", "email": "b@z.example"}
    found = validate(schema, config, {"api_key": "x"}).problems
    assert {problem.field for problem in found} == {"/to_users"}
