"""Posts of Mattermost: an attachment with colour, its Markdown escaped for what alerts say."""

from collections.abc import Sequence
from typing import Final

from detectviz.contracts.alert_blocks import body_of, fitted, markdown_markup, written
from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.message import clean, cut_characters, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.rendering import (
    colour_of,
    escape_markdown,
    web_url,
    without_mentions,
)
from detectviz.contracts.types import JsonObject, JsonValue

_LONGEST: Final = 12_000  # a post holds 16,383 characters
_LONGEST_TITLE: Final = 300
_MARKUP: Final = markdown_markup(
    escape=lambda text: escape_markdown(text).replace("<", "&lt;").replace("@", "@\u200b")
)


def build_attachment(
    notification: Notification, config: JsonObject, actions: Sequence[JsonObject] | None
) -> JsonObject:
    """Return the attachment that webhooks and bots post alike, with links without ``actions``."""
    own, title = get_text(config, "text"), get_text(config, "title")
    shown = title or title_of(notification, max_characters=_LONGEST_TITLE)
    attachment: dict[str, JsonValue] = {
        "color": colour_of(notification),
        "fallback": without_mentions(cut_characters(clean(shown), _LONGEST_TITLE)),
        "pretext": _written(config, "pretext", 4_000),
        "title": fitted(shown, _MARKUP, max_size=2 * _LONGEST_TITLE),
        "title_link": web_url(notification.url),
        "text": _written(config, "text", _LONGEST)
        if own
        else body_of(notification, _MARKUP, max_size=_LONGEST, with_buttons=actions is None),
        "actions": [*(actions or ())],
    }
    return {name: value for name, value in attachment.items() if value}


def build_webhook_post(
    notification: Notification, config: JsonObject, actions: Sequence[JsonObject] | None
) -> JsonObject:
    """Return the body of an incoming webhook."""
    post: dict[str, JsonValue] = {
        "channel": get_text(config, "channel"),
        "username": get_text(config, "username"),
        "icon_url": web_url(get_text(config, "icon_url")),
        "icon_emoji": get_text(config, "icon_emoji"),
        "attachments": [build_attachment(notification, config, actions)],
    }
    if priority := get_text(config, "priority"):
        post["priority"] = {"priority": priority}
    return {name: value for name, value in post.items() if value}


def build_bot_post(
    notification: Notification,
    config: JsonObject,
    actions: Sequence[JsonObject] | None,
    *,
    root_id: str = "",
) -> JsonObject:
    """Return the body of Create Post, as an answer to ``root_id`` where it is given."""
    post: dict[str, JsonValue] = {
        "channel_id": get_text(config, "channel_id").strip(),
        "message": "",
        "props": {"attachments": [build_attachment(notification, config, actions)]},
    }
    if root_id:
        return {**post, "root_id": root_id}
    if priority := get_text(config, "priority"):
        post["metadata"] = {"priority": {"priority": priority}}
    return post


def _written(config: JsonObject, name: str, longest: int) -> str:
    text = written(get_text(config, name), max_size=longest)
    return text if get_bool(config, "allow_mentions") else without_mentions(text)
