"""Discord's Execute Webhook and Edit Webhook Message, with their documented answers."""

import json
from pathlib import Path

import pytest

from detectviz.contracts.alert_blocks import utf16_size
from detectviz.contracts.errors import DeliveryError
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

HOOK = "https://discord.com/api/webhooks/223704706495545344/"
POSTED = make_response(200, b'{"id":"1122334455","channel_id":"199737254929760256"}')


class TestConformance(ReadableNotifierSuite):
    name = "discord"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = POSTED
    found = POSTED
    missing = make_response(404, b'{"message":"Unknown Message","code":10008}')
    failures = {
        "clientError": make_response(400, b'{"message":"Invalid Form Body","code":50035}'),
        "authError": make_response(401, b'{"message":"Invalid Webhook Token","code":50027}'),
        "rateLimited": make_response(
            429, b'{"message":"You are being rate limited.","retry_after":30.0,"global":false}'
        ),
        "serverError": make_response(502, b"<html>bad gateway</html>"),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context("discord", {}, {"webhook_url": HOOK + self.SECRET}, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "discord")


def _context(
    http: FakeHttp, thread: JsonObject | None = None, **config: JsonValue
) -> NotifierContext:
    secrets: dict[str, JsonValue] = {"webhook_url": HOOK + "abc"}
    return make_notifier_context("discord", config, secrets, http=http, thread=thread)


def _body(http: FakeHttp, place: int = 0) -> JsonObject:
    body = json.loads(http.requests[place].body)
    assert isinstance(body, dict)
    return body


def _embed(http: FakeHttp) -> JsonObject:
    embeds = _body(http)["embeds"]
    assert isinstance(embeds, list)
    return dict(embeds[0])


def test_the_answer_is_waited_for_and_names_the_message(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    receipt = notifier.notify(make_notification(), _context(http))
    assert http.requests[0].url == HOOK + "abc?wait=true"
    assert (receipt.external_id, receipt.thread) == ("1122334455", {"message_id": "1122334455"})


def test_the_first_message_is_changed_where_wanted(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    over = make_notification(status=AlertStatus.RESOLVED)
    notifier.notify(over, _context(http, {"message_id": "9"}, updates="edit", thread_id="42"))
    (request,) = http.requests
    assert (request.method, request.url) == ("PATCH", HOOK + "abc/messages/9?thread_id=42")
    assert "username" not in _body(http)


def test_a_message_that_is_gone_is_posted_anew(notifier: Notifier) -> None:
    gone = make_response(404, b'{"message":"Unknown Message","code":10008}')
    http = FakeHttp(answer=POSTED, first=[gone])
    receipt = notifier.notify(
        make_notification(), _context(http, {"message_id": "9"}, updates="edit")
    )
    assert [each.method for each in http.requests] == ["PATCH", "POST"]
    assert receipt.thread == {"message_id": "1122334455"}


def test_a_webhook_that_was_deleted_is_not_tried_again(notifier: Notifier) -> None:
    gone = make_response(404, b'{"message":"Unknown Webhook","code":10015}')
    with pytest.raises(DeliveryError, match="Unknown Webhook") as refused:
        notifier.notify(make_notification(), _context(FakeHttp(answer=gone)))
    assert (refused.value.reason, refused.value.permanent) == ("authError", True)


def test_nobody_is_called_unless_that_is_allowed(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    notifier.notify(hostile_notification(), _context(http))
    assert _body(http)["allowed_mentions"] == {"parse": []}
    assert "@everyone" not in str(_embed(http)["description"])
    notifier.notify(make_notification(), _context(http, content="@here", allow_mentions=True))
    assert "everyone" in str(_body(http, 1)["allowed_mentions"])


def test_lengths_are_within_discords(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    many = make_notification(*(make_alert(monitor="🔥" * 90 + str(n)) for n in range(60)))
    notifier.notify(many, _context(http, title="t" * 500, content="c" * 3_000))
    embed = _embed(http)
    assert utf16_size(str(embed["title"])) <= 256
    assert utf16_size(str(embed["description"])) <= 4_096
    assert utf16_size(str(_body(http)["content"])) <= 2_000
    assert "more alerts are not shown" in str(embed["description"])


def test_name_and_picture_are_sent_with_a_new_message(notifier: Notifier) -> None:
    http = FakeHttp(answer=POSTED)
    context = _context(http, username="Watch", avatar_url="https://x.example/a.png", message="own")
    notifier.notify(make_notification(), context)
    assert (_body(http)["username"], _embed(http)["description"]) == ("Watch", "own")
