"""Messages of Discord's webhooks: one embed with colour, and nobody called."""

from collections.abc import Iterator
from typing import Final

from detectviz.contracts.alert_blocks import (
    Markup,
    body_of,
    button_value,
    buttons_of,
    fitted,
    markdown_markup,
    utf16_size,
    written,
)
from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.message import title_of
from detectviz.contracts.notifier import Notification, NotificationAction
from detectviz.contracts.rendering import colour_number_of, escape_markdown, web_url
from detectviz.contracts.types import JsonObject, JsonValue

_LONGEST_TITLE: Final = 256
_LONGEST_DESCRIPTION: Final = 4_096
_LONGEST_CONTENT: Final = 2_000
_LONGEST_LABEL: Final = 80
_MOST_BUTTONS: Final = 5
_ROW, _BUTTON = 1, 2
_PRIMARY, _SECONDARY, _LINK = 1, 2, 5
_MARKUP: Final[Markup] = markdown_markup(
    escape=lambda text: escape_markdown(text).replace("<", "\\<").replace("@", "@\u200b"),
    measure=utf16_size,
)


def build_message(notification: Notification, config: JsonObject) -> dict[str, JsonValue]:
    """Return the body of Execute Webhook or Edit Webhook Message."""
    own = get_text(config, "message")
    is_interactive = get_bool(config, "interactive_buttons")
    embed: dict[str, JsonValue] = {
        "title": _title(notification, config),
        "description": written(own, max_size=_LONGEST_DESCRIPTION, measure=utf16_size)
        if own
        else body_of(
            notification, _MARKUP, max_size=_LONGEST_DESCRIPTION, with_buttons=not is_interactive
        ),
        "color": colour_number_of(notification),
    }
    if url := web_url(notification.url):
        embed["url"] = url
    message: dict[str, JsonValue] = {
        "content": written(
            get_text(config, "content"), max_size=_LONGEST_CONTENT, measure=utf16_size
        ),
        "embeds": [embed],
        "allowed_mentions": {
            "parse": ["users", "roles", "everyone"] if get_bool(config, "allow_mentions") else []
        },
    }
    if is_interactive:  # none takes away those of a message that is changed
        message["components"] = [*_rows(notification)]
    return message


def _rows(notification: Notification) -> Iterator[JsonObject]:
    buttons = buttons_of(notification)[:_MOST_BUTTONS]
    if buttons:
        yield {"type": _ROW, "components": [_button(each, notification) for each in buttons]}


def _button(action: NotificationAction, notification: Notification) -> JsonObject:
    button: JsonObject = {"type": _BUTTON, "label": action.title[:_LONGEST_LABEL]}
    value = button_value(action, notification)
    if not value:
        return {**button, "style": _LINK, "url": action.url}
    style = _PRIMARY if action.name == "acknowledge" else _SECONDARY
    return {**button, "style": style, "custom_id": value}


def _title(notification: Notification, config: JsonObject) -> str:
    if own := get_text(config, "title"):
        return written(own, max_size=_LONGEST_TITLE, measure=utf16_size)
    return fitted(title_of(notification), _MARKUP, max_size=_LONGEST_TITLE)


def build_sender(config: JsonObject) -> dict[str, JsonValue]:
    """Return under which name and picture a new message is posted."""
    named = {"username": get_text(config, "username").strip()}
    named["avatar_url"] = web_url(get_text(config, "avatar_url"))
    return {name: value for name, value in named.items() if value}
