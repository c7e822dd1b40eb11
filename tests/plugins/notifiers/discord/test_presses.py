"""Interactions of Discord, signed with a key made here, and buttons that cause them."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from detectviz.contracts.notifier import Notification
from detectviz.contracts.presses import Pressed, Received, SignatureError
from detectviz.contracts.types import AlertStatus, PluginKind
from detectviz.testing.notifiers import (
    NOW,
    FakeHttp,
    make_notification,
    make_notifier_context,
    make_response,
    notification_with_actions,
)
from detectviz.testing.plugins import built_in_plugins
from detectviz.testing.presses import PressSuite
from plugins.notifiers.discord.presses import answer_interaction, read_interaction

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
STAMP = str(int(NOW.timestamp()))
HOOK = "https://discord.com/api/webhooks/223704706495545344/token"


def signed(interaction: dict[str, Any]) -> Received:
    body = json.dumps(interaction).encode()
    signature = PRIVATE.sign(STAMP.encode() + body).hex()
    headers = {"x-signature-timestamp": STAMP, "x-signature-ed25519": signature}
    return Received(body=body, headers=headers)


class TestPresses(PressSuite):
    name = "discord"
    KEY = PUBLIC

    def make_press(self, value: str) -> Received:
        member = {"user": {"id": "1", "username": "ann"}}
        data = {"custom_id": value, "component_type": 2}
        return signed({"type": 3, "data": data, "member": member})


def test_a_ping_is_answered_and_a_wrong_one_refused() -> None:
    pressed = read_interaction(signed({"type": 1}), PUBLIC, NOW)
    assert pressed.is_ping
    assert answer_interaction(pressed, "") == {"type": 1}
    for key in ("", "00", "zz", "00" * 32):
        with pytest.raises(SignatureError):
            read_interaction(signed({"type": 1}), key, NOW)


def test_who_presses_in_private_is_known_and_answered_alone() -> None:
    told = {"type": 3, "data": {"custom_id": "x"}, "user": {"username": "bob"}}
    assert read_interaction(signed(told), PUBLIC, NOW).by == "bob"
    answer = answer_interaction(Pressed(value="x", nonce="n"), "Done.")
    assert answer == {"type": 4, "data": {"content": "Done.", "flags": 64}}


def sent(notification: Notification) -> tuple[str, dict[str, Any]]:
    http = FakeHttp(answer=make_response(200, b'{"id":"1"}'))
    context = make_notifier_context(
        "discord", {"interactive_buttons": True}, {"webhook_url": HOOK}, http=http
    )
    built_in_plugins().load(PluginKind.NOTIFIER, "discord").notify(notification, context)
    return http.requests[0].url, json.loads(http.requests[0].body)


def test_buttons_act_where_wanted_and_go_when_nothing_fires() -> None:
    url, message = sent(notification_with_actions())
    assert "with_components=true" in url
    ((row,),) = [message["components"]]
    acknowledge, opening = row["components"]
    assert acknowledge == {
        "type": 2,
        "style": 1,
        "label": "Acknowledge",
        "custom_id": "acknowledge:dlv_01",
    }
    assert (opening["style"], "custom_id" in opening) == (5, False)
    assert "Acknowledge" not in message["embeds"][0]["description"]
    _, over = sent(make_notification(status=AlertStatus.RESOLVED))
    assert all("custom_id" not in each for row in over["components"] for each in row["components"])
