"""ntfy's publishing as JSON, with its documented answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.alert_blocks import utf8_size
from detectviz.contracts.notifier import Notification, Notifier, NotifierContext
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


PUBLISHED = make_response(200, b'{"id":"hwQ2YpKdmg","event":"message","topic":"alerts"}')


class TestConformance(ReadableNotifierSuite):
    name = "ntfy"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = PUBLISHED
    found = make_response(
        200, b'{"id":"other","event":"message"}\nno json\n{"id":"hwQ2YpKdmg","event":"message"}\n'
    )
    missing = make_response(200, b"")
    failures = {
        "clientError": make_response(
            400, b'{"code":40009,"http":400,"error":"invalid request: topic invalid"}'
        ),
        "authError": make_response(403, b'{"code":40301,"http":403,"error":"forbidden"}'),
        "rateLimited": make_response(
            429,
            b'{"code":42901,"http":429,"error":"limit reached: too many requests"}',
            [("Retry-After", "30")],
        ),
        "serverError": make_response(
            500, b'{"code":50001,"http":500,"error":"internal server error"}'
        ),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context("ntfy", {"topic": "alerts"}, {"token": self.SECRET}, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "ntfy")


def _published(
    notifier: Notifier, notification: Notification, config: JsonObject | None = None
) -> dict[str, Any]:
    http = FakeHttp(answer=PUBLISHED)
    given: JsonObject = {"topic": "alerts", **(config or {})}
    context = make_notifier_context("ntfy", given, {}, http=http)
    assert notifier.notify(notification, context).external_id == "hwQ2YpKdmg"
    return dict(json.loads(http.requests[0].body))


@pytest.mark.parametrize(
    ("notification", "priority", "sign"),
    [
        (make_notification(), 5, "rotating_light"),
        (make_notification(make_alert(severity="warning")), 4, "warning"),
        (make_notification(make_alert(severity="info")), 3, "information_source"),
        (OVER, 3, "white_check_mark"),
    ],
)
def test_priority_and_sign_go_by_severity(
    notifier: Notifier, notification: Notification, priority: int, sign: str
) -> None:
    message = _published(notifier, notification)
    assert (message["priority"], message["tags"]) == (priority, [sign])


def test_notifications_of_a_group_change_the_first_where_wanted(notifier: Notifier) -> None:
    first = _published(notifier, make_notification(), {"updates": "edit"})
    later = _published(notifier, OVER, {"updates": "edit"})
    assert first["sequence_id"] == later["sequence_id"]
    assert len(first["sequence_id"]) == 64
    assert "sequence_id" not in _published(notifier, OVER)


def test_a_message_is_never_so_long_that_it_becomes_a_file(notifier: Notifier) -> None:
    many = make_notification(*(make_alert(monitor=f"\u76d1{n}") for n in range(300)))
    message = _published(notifier, many, {"title": "t" * 1_000})
    assert utf8_size(message["message"]) <= 4_096
    assert "more alerts are not shown" in message["message"]
    assert utf8_size(message["title"]) <= 500
    own = _published(notifier, many, {"message": "\u76d1" * 5_000, "markdown": True})
    assert (utf8_size(own["message"]) <= 4_096, own["markdown"]) == (True, True)


def test_a_user_may_publish_with_a_password(notifier: Notifier) -> None:
    http = FakeHttp(answer=PUBLISHED)
    config: JsonObject = {
        "topic": "t",
        "server_url": "https://ntfy.example/",
        "username": "u",
        "priority": "2",
    }
    context = make_notifier_context("ntfy", config, {"password": "p"}, http=http)
    notifier.notify(make_notification(), context)
    (request,) = http.requests
    assert (request.url, request.basic_auth) == ("https://ntfy.example/", ("u", "p"))
    assert json.loads(request.body)["priority"] == 2
