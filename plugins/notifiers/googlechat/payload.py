"""Messages of Google Chat: one card in its small HTML, within 32,000 bytes."""

from typing import Final

from detectviz.contracts.alert_blocks import (
    body_of,
    buttons_of,
    html_markup,
    utf8_size,
    written,
)
from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.message import one_line, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.rendering import colour_of, escape_html
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue

_EVERYBODY: Final = "<users/all>"
_LONGEST: Final = 12_000  # bytes of a card's text; JSON and buttons come on top
_LONGEST_TEXT: Final = 4_000
_LONGEST_TITLE: Final = 300
_MOST_BUTTONS: Final = 6
_MARKUP: Final = html_markup(measure=utf8_size, line_end="<br>")


def build_message(notification: Notification, config: JsonObject) -> dict[str, JsonValue]:
    """Return the message without its thread: a card, or the operator's own text."""
    is_firing = notification.status is AlertStatus.FIRING
    calling = _EVERYBODY if is_firing and get_bool(config, "mention_all") else ""
    if own := written(get_text(config, "message"), max_size=_LONGEST_TEXT):
        if not get_bool(config, "allow_mentions"):
            own = own.replace(_EVERYBODY, "@all")
        return {"text": f"{calling} {own}".strip()}
    title = one_line(
        get_text(config, "title") or title_of(notification), max_characters=_LONGEST_TITLE
    )
    message: dict[str, JsonValue] = {
        "fallbackText": title,
        "cardsV2": [{"cardId": "alerts", "card": _card(notification, title)}],
    }
    return {**message, "text": calling} if calling else message


def _card(notification: Notification, title: str) -> JsonObject:
    heading = f'<font color="{colour_of(notification)}"><b>{escape_html(title)}</b></font>'
    body = body_of(notification, _MARKUP, max_size=_LONGEST)
    widgets: list[JsonValue] = [
        {"textParagraph": {"text": heading}},
        {"textParagraph": {"text": body}},
    ]
    buttons: list[JsonValue] = [
        {"text": each.title, "onClick": {"openLink": {"url": each.url}}}
        for each in buttons_of(notification)[:_MOST_BUTTONS]
    ]
    if buttons:
        widgets.append({"buttonList": {"buttons": buttons}})
    return {"sections": [{"widgets": widgets}]}
