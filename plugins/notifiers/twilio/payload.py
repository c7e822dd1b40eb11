"""Texts for phones and what calls say."""

from typing import Final
from xml.sax.saxutils import escape, quoteattr

from detectviz.contracts.alert_blocks import body_of, fitted, plain_markup, utf16_size
from detectviz.contracts.config import get_int, get_text
from detectviz.contracts.message import clean, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.types import JsonObject

_LONGEST_SPOKEN: Final = 1_000
_LONGEST_TWIML: Final = 4_000
_PLAIN: Final = plain_markup(utf16_size)


def build_text(notification: Notification, config: JsonObject) -> str:
    """Return a text message within the length that was chosen."""
    longest = get_int(config, "max_length", 480)
    if own := get_text(config, "message"):
        return fitted(own, _PLAIN, max_size=longest)
    title = fitted(title_of(notification), _PLAIN, max_size=longest // 2)
    room = longest - utf16_size(title) - 1
    # Where links leave no room for the alerts, the alerts matter more.
    with_links = body_of(notification, _PLAIN, max_size=room, with_buttons=True)
    fits = utf16_size(with_links) <= room
    return f"{title}\n{with_links if fits else body_of(notification, _PLAIN, max_size=room)}"


def build_twiml(notification: Notification, config: JsonObject) -> str:
    """Return what a call says, as TwiML of at most 4,000 characters."""
    text = get_text(config, "message") or (
        notification.text if notification.is_templated else title_of(notification)
    )
    spoken = escape(clean(text)[:_LONGEST_SPOKEN])
    attributes = [
        ("language", get_text(config, "language")),
        ("voice", get_text(config, "voice")),
        ("loop", str(get_int(config, "repeat", 2))),
    ]
    said = "".join(f" {name}={quoteattr(value)}" for name, value in attributes if value)
    twiml = f"<Response><Pause/><Say{said}>{spoken}</Say></Response>"
    if len(twiml) <= _LONGEST_TWIML:
        return twiml
    return build_twiml(notification, {**config, "message": clean(text)[: _LONGEST_SPOKEN // 2]})
