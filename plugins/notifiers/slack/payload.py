"""Slack's messages: an attachment with colour, links and buttons.

Free text goes where Slack reads no markup (titles, values, a text outside of ``mrkdwn_in``); what
its markup cannot be kept out of, links and mentions, is written as entities.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from detectviz.contracts.alert_blocks import (
    Markup,
    alert_details,
    alert_heading,
    button_value,
    buttons_of,
    common_of,
    fitted,
    whole_text,
    written,
)
from detectviz.contracts.config import get_bool, get_object, get_objects, get_text, get_texts
from detectviz.contracts.message import cut_characters, title_of
from detectviz.contracts.notifier import Notification, NotificationAction
from detectviz.contracts.rendering import (
    colour_of,
    escape_slack,
    left_out_count,
    shown_alerts,
    web_url,
)
from detectviz.contracts.types import JsonObject, JsonValue

_LONGEST_TITLE: Final = 300
_LONGEST_TEXT: Final = 8_000
_LONGEST_VALUE: Final = 2_000
_MOST_ALERTS: Final = 20
_MOST_BUTTONS: Final = 5
_READ_AS_MARKUP: Final = ("fallback", "pretext", "text")
_CALL: Final = re.compile(r"<(?=!|@here|@channel)")  # noqa: TID251 - our own constant pattern
_MARKUP: Final = Markup(
    escape=escape_slack,
    bold=lambda text: text,
    link=lambda text, url: f"<{escape_slack(url).replace('|', '%7C')}|{text}>",
)


def build_message(notification: Notification, config: JsonObject) -> dict[str, JsonValue]:
    """Return the body of a webhook or of chat.postMessage, without channel and thread."""
    message: dict[str, JsonValue] = {
        "channel": get_text(config, "channel"),
        "username": get_text(config, "username"),
        "icon_emoji": get_text(config, "icon_emoji"),
        "icon_url": web_url(get_text(config, "icon_url")),
        "link_names": get_bool(config, "link_names") or None,
        "text": _own(config, "message_text", _LONGEST_TEXT),
    }
    if not message["text"]:
        message["attachments"] = [_attachment(notification, config)]
    message |= {"unfurl_links": False, "unfurl_media": False}
    return _without_empty(message)


def _attachment(notification: Notification, config: JsonObject) -> dict[str, JsonValue]:
    title = _own(config, "title", _LONGEST_TITLE) or escape_slack(
        title_of(notification, max_characters=_LONGEST_TITLE)
    )
    text = _own(config, "text", _LONGEST_TEXT)
    is_written = bool(text) or notification.is_templated
    return _without_empty(
        {
            "color": get_text(config, "color") or colour_of(notification),
            "fallback": _own(config, "fallback", _LONGEST_TITLE) or title,
            "pretext": _own(config, "pretext", _LONGEST_TEXT),
            "title": title,
            "title_link": web_url(get_text(config, "title_link")) or web_url(notification.url),
            "text": text or _text(notification),
            "fields": _fields(notification, config, is_written=is_written),
            "actions": [*_buttons(notification, config)],
            "footer": _own(config, "footer", _LONGEST_TITLE),
            "callback_id": get_text(config, "callback_id") or _callback_id(config),
            "image_url": web_url(get_text(config, "image_url")),
            "thumb_url": web_url(get_text(config, "thumb_url")),
            "mrkdwn_in": _markup_in(config, is_written=bool(text)),
        }
    )


def _markup_in(config: JsonObject, *, is_written: bool) -> list[JsonValue]:
    """Only what the operator wrote is read as markup; values of alerts never are."""
    wanted = get_texts(config, "mrkdwn_in") or _READ_AS_MARKUP
    own = {"text"} if is_written else set()
    own |= {"pretext"} if get_text(config, "pretext") else set()
    own |= {"fields"} if get_objects(config, "fields") else set()
    return [name for name in wanted if name in own]


def _text(notification: Notification) -> str:
    if notification.is_templated:
        return fitted(whole_text(notification), _MARKUP, max_size=_LONGEST_TEXT)
    left_out = left_out_count(notification, max_alerts=_MOST_ALERTS)
    return f"{left_out} more alerts are not shown." if left_out else ""


def _fields(notification: Notification, config: JsonObject, *, is_written: bool) -> list[JsonValue]:
    own = get_objects(config, "fields")
    is_short = get_bool(config, "short_fields")
    if own:
        return [
            {
                "title": cut_characters(get_text(each, "title"), _LONGEST_TITLE),
                "value": cut_characters(get_text(each, "value"), _LONGEST_VALUE),
                "short": get_bool(each, "short") or is_short,
            }
            for each in own
        ]
    return [] if is_written else [*_alert_fields(notification)]


def _alert_fields(notification: Notification) -> Iterator[JsonObject]:
    common = common_of(notification)
    for alert in shown_alerts(notification, max_alerts=_MOST_ALERTS):
        yield {
            "title": escape_slack(alert_heading(alert)),
            "value": "\n".join(alert_details(alert, common, _MARKUP)),
            "short": False,
        }


def _buttons(notification: Notification, config: JsonObject) -> Iterator[JsonObject]:
    own = get_objects(config, "actions")
    for each in own:
        yield _without_empty(
            {
                "type": get_text(each, "type", "button"),
                "text": escape_slack(get_text(each, "text")),
                "url": web_url(get_text(each, "url")),
                "name": get_text(each, "name"),
                "value": get_text(each, "value"),
                "style": get_text(each, "style"),
                "confirm": _confirm(get_object(each, "confirm")),
            }
        )
    for action in buttons_of(notification)[: max(_MOST_BUTTONS - len(own), 0)]:
        is_interactive = get_bool(config, "interactive_buttons")
        yield _button(action, button_value(action, notification) if is_interactive else "")


def _callback_id(config: JsonObject) -> str:
    # Without one, Slack tells nobody of buttons.
    return "detectviz" if get_bool(config, "interactive_buttons") else ""


def _confirm(asked: JsonObject) -> JsonObject:
    if not get_text(asked, "text"):
        return {}
    return {name: escape_slack(str(text)) for name, text in asked.items() if text}


def _button(action: NotificationAction, value: str) -> JsonObject:
    button = {"type": "button", "text": escape_slack(action.title)}
    button |= {"name": action.name, "value": value} if value else {"url": action.url}
    return {**button, "style": "primary"} if action.name == "acknowledge" else button


def _own(config: JsonObject, name: str, longest: int) -> str:
    """Return a text the operator wrote, within its length, calling nobody unless allowed."""
    text = written(get_text(config, name), max_size=longest)
    return text if get_bool(config, "allow_mentions") else _CALL.sub("&lt;", text)


def _without_empty(document: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        name: value
        for name, value in document.items()
        if value or (name == "mrkdwn_in" and value is not None) or value is False
    }
