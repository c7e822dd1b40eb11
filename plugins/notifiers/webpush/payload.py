"""What the browser's worker shows, as JSON that fits into one encrypted record."""

import base64
import hashlib
import json
from typing import Final

from detectviz.contracts.config import get_text
from detectviz.contracts.message import clean, cut_characters, one_line, text_of, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.posting import incident_key
from detectviz.contracts.rendering import severity_of, web_url
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue

_LONGEST_TITLE: Final = 120
_LONGEST_TEXT: Final = 1_500
_LONGEST_URL: Final = 600
_MOST_ACTIONS: Final = 2  # browsers show no more
_TOPIC_LENGTH: Final = 32
_URGENT: Final = {"critical": "high", "error": "high", "warning": "normal"}


def message_of(notification: Notification, config: JsonObject, *, largest: int) -> bytes:
    """Return the worker's JSON in at most ``largest`` bytes; the text gives way."""
    size = _LONGEST_TEXT
    while True:
        document = build_message(notification, config, max_characters=size)
        said = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        encoded = said.encode("utf-8", "replace")
        if len(encoded) <= largest:
            return encoded
        if size == 0:
            return json.dumps({"title": topic_of(notification)}).encode()
        size = size * 2 // 3 if size > 1 else 0


def build_message(
    notification: Notification, config: JsonObject, *, max_characters: int
) -> JsonObject:
    """Return title, text, where a touch leads, and the actions that are offered."""
    own = get_text(config, "message")
    text = clean(own).strip() if own else text_of(notification)
    actions: list[JsonValue] = [
        {"action": action.name, "title": action.title, "url": action.url}
        for action in notification.actions
        if action.name != "open" and len(action.url) <= _LONGEST_URL
    ]
    is_firing = notification.status is AlertStatus.FIRING
    return {
        "title": one_line(
            get_text(config, "title") or title_of(notification), max_characters=_LONGEST_TITLE
        ),
        "body": cut_characters(text, max_characters) if max_characters else "",
        "tag": topic_of(notification),
        "url": (web_url(notification.url) or "")[:_LONGEST_URL],
        "actions": actions[:_MOST_ACTIONS],
        "stays": is_firing and severity_of(notification) == "critical",
    }


def topic_of(notification: Notification) -> str:
    """Return what notifications of one group share: 32 characters of URL-safe Base64."""
    digest = hashlib.sha256(incident_key(notification).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_TOPIC_LENGTH]


def urgency_of(notification: Notification, config: JsonObject) -> str:
    """Return RFC 8030's urgency: as written, else by severity."""
    if wanted := get_text(config, "urgency"):
        return wanted
    if notification.status is AlertStatus.RESOLVED:
        return "normal"
    return _URGENT.get(severity_of(notification), "normal")
