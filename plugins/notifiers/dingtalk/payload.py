"""Messages of DingTalk's custom robots, and their signature."""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Final

from detectviz.contracts.alert_blocks import (
    body_of,
    buttons_of,
    fitted,
    markdown_markup,
    utf8_size,
    written,
)
from detectviz.contracts.config import get_bool, get_text, get_texts
from detectviz.contracts.message import one_line, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.rendering import colour_of, escape_markdown
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue

_LONGEST: Final = 18_000  # the limit is 20,000 bytes for the message
_LONGEST_TITLE: Final = 200
_MOST_BUTTONS: Final = 5
_MARKUP: Final = markdown_markup(
    escape=lambda text: escape_markdown(text).replace("<", "&lt;").replace("@", "@\u200b"),
    measure=utf8_size,
    line_end="  \n",
)


def build_message(notification: Notification, config: JsonObject) -> JsonObject:
    """Return the message: Markdown that can call people, or a card with buttons that cannot."""
    title = one_line(
        get_text(config, "title") or title_of(notification), max_characters=_LONGEST_TITLE
    )
    if get_text(config, "message_type") == "actionCard":
        buttons: list[JsonValue] = [
            {"title": each.title, "actionURL": each.url}
            for each in buttons_of(notification)[:_MOST_BUTTONS]
        ]
        text = _text(notification, config, title, with_buttons=False)
        card = {"title": title, "text": text, "btnOrientation": "1", "btns": buttons}
        return {"msgtype": "actionCard", "actionCard": card}
    called = _called(notification, config)
    text = _text(notification, config, title, with_buttons=True)
    mobiles = " ".join(f"@{each}" for each in get_texts(config, "mention_mobiles") if called)
    return {
        "msgtype": "markdown",
        "markdown": {"title": title, "text": f"{text}\n\n{mobiles}" if mobiles else text},
        **({"at": called} if called else {}),
    }


def sign(at: datetime, secret: str) -> dict[str, str]:
    """Return timestamp in milliseconds and signature, for the address."""
    timestamp = str(int(at.timestamp() * 1_000))
    signed = f"{timestamp}\n{secret}".encode()
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return {"timestamp": timestamp, "sign": base64.b64encode(digest).decode()}


def _text(notification: Notification, config: JsonObject, title: str, *, with_buttons: bool) -> str:
    if own := get_text(config, "message"):
        return written(own, max_size=_LONGEST, measure=utf8_size)
    heading = fitted(title, _MARKUP, max_size=1_000)
    body = body_of(notification, _MARKUP, max_size=_LONGEST, with_buttons=with_buttons)
    return f'### <font color="{colour_of(notification)}">{heading}</font>\n\n{body}'


def _called(notification: Notification, config: JsonObject) -> JsonObject:
    called: dict[str, JsonValue] = {
        "atMobiles": list(get_texts(config, "mention_mobiles")),
        "atUserIds": list(get_texts(config, "mention_user_ids")),
        "isAtAll": get_bool(config, "mention_all"),
    }
    is_wanted = notification.status is AlertStatus.FIRING and any(called.values())
    return called if is_wanted else {}
