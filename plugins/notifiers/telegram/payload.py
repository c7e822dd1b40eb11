"""Messages of Telegram's Bot API: HTML, buttons below, at most 4,096 UTF-16 units."""

from typing import Final

from detectviz.contracts.alert_blocks import (
    Markup,
    body_of,
    button_value,
    buttons_of,
    fitted,
    html_markup,
    plain_markup,
    utf8_size,
    utf16_size,
    written,
)
from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.message import title_of
from detectviz.contracts.notifier import Notification, NotificationAction
from detectviz.contracts.types import JsonObject, JsonValue

_LONGEST: Final = 4_096
_LONGEST_TITLE: Final = 300
_LONGEST_CALLBACK: Final = 64
_HTML: Final[Markup] = html_markup(measure=utf16_size)
_PLAIN: Final[Markup] = plain_markup(utf16_size)


def build_message(
    notification: Notification,
    config: JsonObject,
    *,
    is_plain: bool = False,
    has_buttons: bool = True,
) -> dict[str, JsonValue]:
    """Return the body of sendMessage or editMessageText, without what it answers.

    ``is_plain`` leaves all markup away: for a text of the operator that Telegram could not parse.
    Without ``has_buttons`` there are none: it refuses addresses of machines without a public name.
    """
    own = get_text(config, "message")
    mode = get_text(config, "parse_mode") if own else "HTML"
    message: dict[str, JsonValue] = {
        "chat_id": get_text(config, "chat_id").strip(),
        "text": written(own, max_size=_LONGEST, measure=utf16_size)
        if own
        else _text(notification, is_plain=is_plain),
        "link_preview_options": {"is_disabled": True},
    }
    if mode and not is_plain:
        message["parse_mode"] = mode
    buttons = [_button(each, notification, config) for each in buttons_of(notification)]
    if buttons and has_buttons:
        message["reply_markup"] = {"inline_keyboard": [buttons]}
    return message


def _button(
    action: NotificationAction, notification: Notification, config: JsonObject
) -> JsonObject:
    value = button_value(action, notification) if get_bool(config, "interactive_buttons") else ""
    if value and utf8_size(value) <= _LONGEST_CALLBACK:
        return {"text": action.title, "callback_data": value}
    return {"text": action.title, "url": action.url}


def build_options(config: JsonObject) -> dict[str, JsonValue]:
    """Return what is said of a new message only."""
    options: dict[str, JsonValue] = {}
    topic = get_text(config, "message_thread_id").strip()
    if topic.lstrip("-").isdigit():
        options["message_thread_id"] = int(topic)
    if get_bool(config, "disable_notifications"):
        options["disable_notification"] = True
    if get_bool(config, "protect_content"):
        options["protect_content"] = True
    return options


def _text(notification: Notification, *, is_plain: bool) -> str:
    markup = _PLAIN if is_plain else _HTML
    title = markup.bold(fitted(title_of(notification), markup, max_size=_LONGEST_TITLE))
    room = _LONGEST - utf16_size(title) - 2
    return f"{title}\n\n{body_of(notification, markup, max_size=room)}"
