"""Interactive actions of Mattermost: the buttons that are posted, and what comes back of them."""

import json
from datetime import timedelta
from typing import Any

import pytest

from detectviz.contracts.config import get_text
from detectviz.contracts.presses import Received
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.pluginhost.configuration import validate
from detectviz.testing.notifiers import (
    FakeHttp,
    make_notifier_context,
    make_response,
    notification_with_actions,
)
from detectviz.testing.plugins import built_in_plugins
from detectviz.testing.presses import VALUE, PressSuite

DOOR = "https://detectviz.example/callbacks/d00r"
POSTED = make_response(201, b'{"id":"post1"}')
CONFIG: JsonObject = {"interactive_buttons": True, "callback_url": DOOR}
BOT: JsonObject = {"server_url": "https://chat.example", "channel_id": "c1", **CONFIG}


def attachment_of(config: JsonObject, secrets: dict[str, JsonValue]) -> dict[str, Any]:
    http = FakeHttp(answer=POSTED)
    context = make_notifier_context("mattermost", config, secrets, http=http)
    notifier = built_in_plugins().load(PluginKind.NOTIFIER, "mattermost")
    notifier.notify(notification_with_actions(), context)
    post = json.loads(http.requests[0].body)
    found: dict[str, Any] = (post.get("props") or post)["attachments"][0]
    return found


class TestPresses(PressSuite):
    name = "mattermost"
    lifetime = timedelta(days=7)

    def make_press(self, value: str) -> Received:
        """Press what was posted, as the server's PostActionIntegrationRequest."""
        secrets: dict[str, JsonValue] = {"token": "t", "callback_key": self.KEY}
        (button,) = attachment_of(BOT, secrets)["actions"]
        request = {
            "user_id": "u1",
            "user_name": "ann",
            "channel_id": "c1",
            "post_id": "post1",
            "trigger_id": "dHJpZ2dlcg==",
            "type": "button",
            "data_source": "",
            "context": button["integration"]["context"],
        }
        assert request["context"]["value"] == value == VALUE
        return Received(body=json.dumps(request).encode(), headers={})


@pytest.mark.parametrize(
    ("config", "secret"), [(CONFIG, {"webhook_url": "https://chat.example/hooks/x"}), (BOT, {})]
)
def test_buttons_call_the_door_and_name_no_key(
    config: JsonObject, secret: dict[str, JsonValue]
) -> None:
    secrets = {**secret, "callback_key": "long-secret"}
    if "server_url" in config:
        secrets["token"] = "t"
    attachment = attachment_of(config, secrets)
    (button,) = attachment["actions"]
    assert (button["id"], button["style"]) == ("acknowledge", "primary")
    assert button["integration"]["url"] == DOOR
    assert "long-secret" not in json.dumps(attachment)
    assert get_text(attachment, "title_link")
    assert "[Acknowledge]" not in attachment["text"]


def test_buttons_that_act_need_a_door_and_its_key() -> None:
    schema = built_in_plugins().manifest(PluginKind.NOTIFIER, "mattermost").config_schema
    hook: dict[str, JsonValue] = {"webhook_url": "https://chat.example/hooks/x"}
    assert validate(schema, {"interactive_buttons": True}, hook).problems
    assert not validate(schema, CONFIG, {**hook, "callback_key": "k"}).problems
    assert not validate(schema, {}, hook).problems
