"""Messages of LINE: a card (Flex Message), or a text."""

from collections.abc import Iterator
from typing import Final

from detectviz.contracts.alert_blocks import (
    alert_heading,
    buttons_of,
    common_of,
    fitted,
    plain_markup,
    utf16_size,
    whole_text,
)
from detectviz.contracts.config import get_text
from detectviz.contracts.message import cut_characters, one_line, title_of
from detectviz.contracts.notifier import Notification, NotifiedAlert
from detectviz.contracts.rendering import (
    colour_of,
    labels_apart,
    left_out_count,
    shown_alerts,
    summary_of,
)
from detectviz.contracts.types import JsonObject, JsonValue, Labels

_LONGEST_TEXT: Final = 5_000
_LONGEST_TITLE: Final = 300
_LONGEST_PREVIEW: Final = 400
_LONGEST_LABEL: Final = 20
_LONGEST_URI: Final = 1_000
_MOST_ALERTS: Final = 10  # a card may have 30 kB
_MOST_BUTTONS: Final = 4
_PLAIN: Final = plain_markup(utf16_size)


def build_message(notification: Notification, config: JsonObject) -> JsonObject:
    """Return one message object."""
    own = get_text(config, "message")
    if own or notification.is_templated:
        text = own or f"{title_of(notification)}\n\n{whole_text(notification)}"
        return {"type": "text", "text": fitted(text, _PLAIN, max_size=_LONGEST_TEXT)}
    title = one_line(
        get_text(config, "title") or title_of(notification), max_characters=_LONGEST_TITLE
    )
    return {
        "type": "flex",
        "altText": cut_characters(title, _LONGEST_PREVIEW),
        "contents": _bubble(notification, title),
    }


def _bubble(notification: Notification, title: str) -> JsonObject:
    bubble: dict[str, JsonValue] = {
        "type": "bubble",
        "header": {
            **_box(_text(title, color="#ffffff", weight="bold")),
            "backgroundColor": colour_of(notification),
        },
        "body": {**_box(*_alerts(notification)), "spacing": "md"},
    }
    buttons: list[JsonObject] = [
        {
            "type": "button",
            "height": "sm",
            "action": {
                "type": "uri",
                "label": cut_characters(each.title, _LONGEST_LABEL),
                "uri": each.url,
            },
        }
        for each in buttons_of(notification)
        if len(each.url) <= _LONGEST_URI
    ]
    if buttons:
        bubble["footer"] = _box(*buttons[:_MOST_BUTTONS])
    return bubble


def _alerts(notification: Notification) -> Iterator[JsonObject]:
    common = common_of(notification)
    for alert in shown_alerts(notification, max_alerts=_MOST_ALERTS):
        yield _box(*_alert(alert, common))
    if left_out := left_out_count(notification, max_alerts=_MOST_ALERTS):
        yield _text(f"… {left_out} more alerts are not shown", color="#888888")


def _alert(alert: NotifiedAlert, common: Labels) -> Iterator[JsonObject]:
    yield _text(alert_heading(alert), weight="bold")
    description = one_line(alert.annotations.get("description", ""), max_characters=300)
    if description and description != summary_of(alert):
        yield _text(description)
    labels = ", ".join(f"{name}={value}" for name, value in labels_apart(alert, common).items())
    since = f"since {alert.starts_at:%Y-%m-%d %H:%M:%S %Z}"
    yield _text(
        "\n".join(filter(None, (one_line(labels, max_characters=300), since))),
        color="#666666",
        size="sm",
    )


def _box(*contents: JsonObject) -> JsonObject:
    return {"type": "box", "layout": "vertical", "contents": list(contents)}


def _text(text: str, **style: str) -> JsonObject:
    return {"type": "text", "text": text or " ", "wrap": True, **style}
