"""Messages of Rocket.Chat: an attachment with colour, fields and buttons."""

from collections.abc import Iterator
from typing import Final

from detectviz.contracts.alert_blocks import (
    body_of,
    buttons_of,
    fitted,
    markdown_markup,
    written,
)
from detectviz.contracts.config import get_bool, get_objects, get_text
from detectviz.contracts.message import cut_characters, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.rendering import colour_of, escape_markdown, web_url, without_mentions
from detectviz.contracts.types import JsonObject, JsonValue

_LONGEST: Final = 4_500  # the server's default limit is 5,000 characters
_LONGEST_TITLE: Final = 300
_MOST_BUTTONS: Final = 5
_MARKUP: Final = markdown_markup(
    escape=lambda text: escape_markdown(text).replace("<", "&lt;").replace("@", "@\u200b")
)


def build_message(notification: Notification, config: JsonObject) -> dict[str, JsonValue]:
    """Return the body of chat.postMessage or of an incoming integration."""
    message: dict[str, JsonValue] = {
        "channel": get_text(config, "channel").strip(),
        "emoji": get_text(config, "emoji"),
        "avatar": web_url(get_text(config, "icon_url")),
        "parseUrls": False,
        "attachments": [_attachment(notification, config)],
    }
    if get_bool(config, "link_names"):
        message["linkNames"] = True
    return {name: value for name, value in message.items() if value or value is False}


def _attachment(notification: Notification, config: JsonObject) -> JsonObject:
    title = get_text(config, "title") or title_of(notification)
    own = written(get_text(config, "text"), max_size=_LONGEST)
    if not get_bool(config, "allow_mentions"):
        own = without_mentions(own)
    attachment: dict[str, JsonValue] = {
        "color": get_text(config, "color") or colour_of(notification),
        "title": without_mentions(cut_characters(title, _LONGEST_TITLE)),
        "title_link": web_url(get_text(config, "title_link")) or web_url(notification.url),
        "text": own or body_of(notification, _MARKUP, max_size=_LONGEST),
        "fields": [*_fields(config)],
        "actions": [*_buttons(notification, config)],
        "image_url": web_url(get_text(config, "image_url")),
        "thumb_url": web_url(get_text(config, "thumb_url")),
    }
    return {name: value for name, value in attachment.items() if value}


def _fields(config: JsonObject) -> Iterator[JsonObject]:
    is_short = get_bool(config, "short_fields")
    for each in get_objects(config, "fields"):
        yield {
            "title": get_text(each, "title"),
            "value": get_text(each, "value"),
            "short": get_bool(each, "short") or is_short,
        }


def _buttons(notification: Notification, config: JsonObject) -> Iterator[JsonObject]:
    own = get_objects(config, "actions")
    for each in own:
        button = {
            "type": "button",
            "text": fitted(get_text(each, "text"), _MARKUP, max_size=100),
            "url": web_url(get_text(each, "url")),
            "msg": get_text(each, "msg"),
        }
        yield {name: value for name, value in button.items() if value}
    for action in buttons_of(notification)[: max(_MOST_BUTTONS - len(own), 0)]:
        yield {"type": "button", "text": action.title, "url": action.url}
