"""Messages of ntfy, published as JSON."""

from typing import Final

from detectviz.contracts.alert_blocks import (
    body_of,
    buttons_of,
    fitted,
    plain_markup,
    utf8_size,
)
from detectviz.contracts.config import get_bool, get_text, get_texts
from detectviz.contracts.message import title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.posting import incident_key
from detectviz.contracts.rendering import cut_bytes, severity_of, web_url
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue

# A longer message would be turned into an attached file.
_LONGEST: Final = 4_096
_LONGEST_TITLE: Final = 500
_LONGEST_TAG: Final = 50
_MOST_ACTIONS: Final = 3
_PRIORITIES: Final = {"critical": 5, "warning": 4, "info": 3}
_SIGNS: Final = {"critical": "rotating_light", "warning": "warning", "info": "information_source"}
_PLAIN: Final = plain_markup(utf8_size)


def build_message(notification: Notification, config: JsonObject) -> JsonObject:
    """Return what is published."""
    own = get_text(config, "message")
    title = get_text(config, "title") or title_of(notification)
    message: dict[str, JsonValue] = {
        "topic": get_text(config, "topic").strip(),
        "title": cut_bytes(title, _LONGEST_TITLE),
        "message": fitted(own, _PLAIN, max_size=_LONGEST)
        if own
        else body_of(notification, _PLAIN, max_size=_LONGEST),
        "markdown": get_bool(config, "markdown") and bool(own),
        "priority": _priority(notification, config),
        "tags": [_sign(notification), *(tag[:_LONGEST_TAG] for tag in get_texts(config, "tags"))],
        "click": web_url(notification.url),
        "icon": web_url(get_text(config, "icon")),
        "actions": [
            {"action": "view", "label": each.title, "url": each.url}
            for each in buttons_of(notification)[:_MOST_ACTIONS]
        ],
    }
    if get_text(config, "updates") == "edit":
        message["sequence_id"] = incident_key(notification)
    return {name: value for name, value in message.items() if value}


def _priority(notification: Notification, config: JsonObject) -> int:
    wanted = get_text(config, "priority").strip()
    if wanted in {"1", "2", "3", "4", "5"}:
        return int(wanted)
    if notification.status is AlertStatus.RESOLVED:
        return _PRIORITIES["info"]
    return _PRIORITIES[severity_of(notification)]


def _sign(notification: Notification) -> str:
    if notification.status is AlertStatus.RESOLVED:
        return "white_check_mark"
    return _SIGNS[severity_of(notification)]
