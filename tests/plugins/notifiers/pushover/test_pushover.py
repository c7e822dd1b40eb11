"""Pushover's messages API, with its documented answers."""

from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from detectviz.contracts.errors import DeliveryError, NetworkError
from detectviz.contracts.notifier import Notifier, NotifierContext
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


SENT = make_response(200, b'{"status":1,"request":"647d2300-702c-4b38-8b2f-d56326ae460b"}')


class TestConformance(HttpNotifierSuite):
    name = "pushover"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = SENT
    failures = {
        "clientError": make_response(
            400, b'{"message":"cannot be blank","errors":["message cannot be blank"],"status":0}'
        ),
        "authError": make_response(
            400, b'{"token":"invalid","errors":["application token is invalid"],"status":0}'
        ),
        "rateLimited": make_response(
            429,
            b'{"errors":["message limit exceeded"],"status":0}',
            [("Retry-After", "30")],
        ),
        "serverError": make_response(500, b""),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context(
            "pushover", {}, {"token": self.SECRET, "user_key": f"u-{self.SECRET}"}, http=http
        )


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "pushover")


def _context(
    http: FakeHttp, thread: JsonObject | None = None, config: JsonObject | None = None
) -> NotifierContext:
    secrets: dict[str, JsonValue] = {"token": "t", "user_key": "u"}
    return make_notifier_context("pushover", config or {}, secrets, http=http, thread=thread)


def _fields(http: FakeHttp, place: int = 0) -> dict[str, str]:
    return dict(parse_qsl(http.requests[place].body.decode()))


def test_what_is_critical_is_repeated_until_acknowledged(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    receipt = notifier.notify(make_notification(), _context(http))
    fields = _fields(http)
    assert [fields[name] for name in ("priority", "retry", "expire")] == ["2", "60", "3600"]
    assert receipt.thread == {"is_emergency": True}


def test_repetitions_end_once_all_is_over(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    notifier.notify(make_notification(), _context(http))
    receipt = notifier.notify(OVER, _context(http, {"is_emergency": True}))
    tag = _fields(http)["tags"]
    assert http.requests[1].url == (f"https://api.pushover.net/1/receipts/cancel_by_tag/{tag}.json")
    assert (_fields(http, 2)["priority"], receipt.thread) == ("0", {})


def test_that_all_is_over_is_told_though_repetitions_go_on(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT, first=[NetworkError("lost", phase="connect")])
    assert notifier.notify(OVER, _context(http, {"is_emergency": True})).external_id


def test_limits_of_pushover_are_kept(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    many = make_notification(*(make_alert(monitor=f"m{n}") for n in range(80)))
    config: JsonObject = {"retry": "1s", "expire": "9h", "title": "t" * 600}
    notifier.notify(many, _context(http, None, config))
    fields = _fields(http)
    assert len(fields["message"]) <= 1_024
    assert "more alerts are not shown" in fields["message"]
    assert [fields["retry"], fields["expire"], len(fields["title"])] == ["30", "10800", 250]


def test_own_message_and_priority_are_sent(notifier: Notifier) -> None:
    http = FakeHttp(answer=SENT)
    config: JsonObject = {
        "message": "own",
        "monospace": True,
        "priority": "-1",
        "ttl": "10m",
        "url": "https://x.example/",
    }
    notifier.notify(make_notification(), _context(http, None, config))
    fields = _fields(http)
    named = ("message", "monospace", "priority", "ttl", "url")
    assert [fields[name] for name in named] == ["own", "1", "-1", "600", "https://x.example/"]
    assert "html" not in fields


def test_status_0_within_a_200_is_no_success(notifier: Notifier) -> None:
    http = FakeHttp(answer=make_response(200, b'{"status":0,"errors":["no device"]}'))
    with pytest.raises(DeliveryError, match="no device") as refused:
        notifier.notify(make_notification(), _context(http))
    assert refused.value.reason == "clientError"
