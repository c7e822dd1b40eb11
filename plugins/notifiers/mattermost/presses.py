"""Interactive actions of Mattermost, which signs nothing: the button's context carries a seal.

The context stays on the server, clients never see it. The seal is ours: HMAC-SHA-256 of the time
and the button's value, by the ChatCallback's key, as long good as links of notifications are.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from detectviz.contracts.alert_blocks import button_value, buttons_of
from detectviz.contracts.config import get_object
from detectviz.contracts.notifier import Notification
from detectviz.contracts.presses import (
    Pressed,
    Received,
    hmac_hex,
    read_object,
    require_equal,
    require_fresh,
    said_first,
)
from detectviz.contracts.types import JsonObject

_LIFETIME: Final = timedelta(days=7)


def build_actions(
    notification: Notification, *, url: str, key: str, now: datetime
) -> Iterator[JsonObject]:
    """Yield a button for every action that needs no page; ids have letters and digits alone."""
    stamp = str(int(now.timestamp()))
    for action in buttons_of(notification):
        if value := button_value(action, notification):
            context: JsonObject = {"value": value, "at": stamp, "seal": _seal(value, stamp, key)}
            yield {
                "id": action.name,
                "type": "button",
                "name": action.title,
                "style": "primary" if action.name == "acknowledge" else "default",
                "integration": {"url": url, "context": context},
            }


def read_action(received: Received, key: str, now: datetime) -> Pressed:
    """Check and read a press; ``trigger_id`` is another for each."""
    action = read_object(received.body)
    context = get_object(action, "context")
    value, stamp = said_first(context, "value"), said_first(context, "at")
    require_equal(said_first(context, "seal"), _seal(value, stamp, key) if key else "")
    require_fresh(stamp, now, oldest=_LIFETIME)
    return Pressed(
        value=value,
        by=said_first(action, "user_name", "user_id"),
        nonce=f"mattermost/{said_first(action, 'trigger_id')}",
    )


def answer_action(said: str) -> JsonObject:
    """Return a message that only who pressed sees."""
    return {"ephemeral_text": said}


def _seal(value: str, stamp: str, key: str) -> str:
    return hmac_hex(key, f"{stamp}.{value}".encode("utf-8", "replace"))
