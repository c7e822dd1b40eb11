"""Cards of Feishu's custom bots. Free text stands in plain_text elements: those read no marks."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from detectviz.contracts.alert_blocks import (
    alert_heading,
    alert_links,
    button_value,
    buttons_of,
    common_of,
    fitted,
    plain_markup,
    utf8_size,
    whole_text,
    written,
)
from detectviz.contracts.config import get_bool, get_text, get_texts
from detectviz.contracts.message import cut_characters, one_line, title_of
from detectviz.contracts.notifier import Notification, NotificationAction, NotifiedAlert
from detectviz.contracts.rendering import (
    labels_apart,
    left_out_count,
    severity_of,
    shown_alerts,
    summary_of,
)
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, Labels

_LARGEST: Final = 19_000  # the limit is 20 kB for the whole request
_LONGEST_TEXT: Final = 12_000
_LONGEST_TITLE: Final = 300
_MOST_ALERTS: Final = 30
_MOST_BUTTONS: Final = 5
_COLOURS: Final = {"critical": "red", "warning": "orange", "info": "blue"}
_EVERYBODY: Final = re.compile(r"<at\s+(user_)?id\s*=\s*\W*all\W*>", re.IGNORECASE)  # noqa: TID251 - our own constant pattern
_SAFE_ID: Final = re.compile(r"[A-Za-z0-9_.@-]+")  # noqa: TID251 - our own constant pattern
_PLAIN: Final = plain_markup(utf8_size)


def build_message(notification: Notification, config: JsonObject) -> dict[str, JsonValue]:
    """Return the message without its signature, within Feishu's size."""
    for count in (_MOST_ALERTS, 15, 7, 3, 1, 0):
        message = _message(notification, config, max_alerts=count)
        if len(json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")) < _LARGEST:
            break
    return message


def sign(at: datetime, secret: str) -> dict[str, JsonValue]:
    """Return timestamp and signature: HMAC-SHA256 of nothing, keyed with both."""
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(f"{timestamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return {"timestamp": timestamp, "sign": base64.b64encode(digest).decode()}


def _message(
    notification: Notification, config: JsonObject, *, max_alerts: int
) -> dict[str, JsonValue]:
    is_over = notification.status is AlertStatus.RESOLVED
    title = get_text(config, "title") or title_of(notification)
    return {
        "msg_type": "interactive",
        "card": {
            "config": {"wide_screen_mode": True},
            "header": {
                "title": _plain(one_line(title, max_characters=_LONGEST_TITLE)),
                "template": "green" if is_over else _COLOURS[severity_of(notification)],
            },
            "elements": [
                *_elements(notification, config, max_alerts),
                *_mentions(notification, config),
                *_buttons(notification, config),
            ],
        },
    }


def _elements(
    notification: Notification, config: JsonObject, max_alerts: int
) -> Iterator[JsonObject]:
    if own := get_text(config, "message"):
        if not get_bool(config, "allow_mentions"):
            own = _EVERYBODY.sub("@", own)
        own = written(own, max_size=_LONGEST_TEXT, measure=utf8_size)
        yield {"tag": "markdown", "content": own}
        return
    if notification.is_templated:
        yield _div(fitted(whole_text(notification), _PLAIN, max_size=_LONGEST_TEXT))
        return
    common = common_of(notification)
    for index, alert in enumerate(shown_alerts(notification, max_alerts=max_alerts)):
        if index:
            yield {"tag": "hr"}
        yield from _alert(alert, common)
    if left_out := left_out_count(notification, max_alerts=max_alerts):
        yield _div(f"… {left_out} more alerts are not shown")


def _alert(alert: NotifiedAlert, common: Labels) -> Iterator[JsonObject]:
    description = one_line(alert.annotations.get("description", ""), max_characters=1_000)
    labels = "\n".join(f"{name} = {value}" for name, value in labels_apart(alert, common).items())
    lines = [
        alert_heading(alert),
        description if description != summary_of(alert) else "",
        cut_characters(labels, 1_000),
        f"since {alert.starts_at:%Y-%m-%d %H:%M:%S %Z}",
    ]
    yield _div("\n".join(line for line in lines if line))
    if links := " · ".join(f"[{title}]({_closed(url)})" for title, url in alert_links(alert)):
        yield {"tag": "markdown", "content": links}


def _mentions(notification: Notification, config: JsonObject) -> Iterator[JsonObject]:
    if notification.status is AlertStatus.RESOLVED:
        return
    called = [each for each in get_texts(config, "mentions") if _SAFE_ID.fullmatch(each)]
    if called:
        yield {"tag": "markdown", "content": " ".join(f"<at id={each}></at>" for each in called)}


def _buttons(notification: Notification, config: JsonObject) -> Iterator[JsonObject]:
    actions = buttons_of(notification)[:_MOST_BUTTONS]
    if actions:
        yield {
            "tag": "action",
            "actions": [_button(each, notification, config) for each in actions],
        }


def _button(
    action: NotificationAction, notification: Notification, config: JsonObject
) -> JsonObject:
    is_interactive = get_bool(config, "interactive_buttons")
    value = button_value(action, notification) if is_interactive else ""
    return {
        "tag": "button",
        "text": _plain(action.title),
        "type": "primary" if action.name == "acknowledge" else "default",
        **({"value": {"value": value}} if value else {"url": action.url}),
    }


def _div(text: str) -> JsonObject:
    return {"tag": "div", "text": _plain(text)}


def _plain(text: str) -> JsonObject:
    return {"tag": "plain_text", "content": text}


def _closed(url: str) -> str:
    return url.replace("(", "%28").replace(")", "%29")
