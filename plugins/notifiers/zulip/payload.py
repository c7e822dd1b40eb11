"""Messages of Zulip, whose Markdown knows no escapes: marks are taken apart or replaced."""

from typing import Final

from detectviz.contracts.alert_blocks import Markup, body_of, fitted, markdown_markup, written
from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.message import clean, one_line, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.types import JsonObject

_ZERO_WIDTH_SPACE: Final = "\u200b"
_LONGEST: Final = 9_000  # of 10,000
_LONGEST_TITLE: Final = 300
_LONGEST_TOPIC: Final = 60
_EVERYBODY: Final = ("all", "everyone", "channel", "stream", "topic")
_TAKEN_APART: Final = ("@", "#", "$", "](", "~~")
_LIKES: Final = str.maketrans({"*": "\u2217", "`": "\u02cb"})


def _escape(text: str) -> str:
    text = clean(text).translate(_LIKES)
    for mark in _TAKEN_APART:
        text = text.replace(mark, mark[0] + _ZERO_WIDTH_SPACE + mark[1:])
    return text


_MARKUP: Final[Markup] = markdown_markup(escape=_escape)


def build_content(notification: Notification, config: JsonObject) -> str:
    """Return the content of a message."""
    title = get_text(config, "title") or title_of(notification)
    heading = _MARKUP.bold(fitted(title, _MARKUP, max_size=_LONGEST_TITLE))
    own = written(get_text(config, "message"), max_size=_LONGEST)
    if own and not get_bool(config, "allow_mentions"):
        for name in _EVERYBODY:
            own = own.replace(f"@**{name}**", f"@{name}")
    body = own or body_of(notification, _MARKUP, max_size=_LONGEST, with_buttons=True)
    return f"{heading}\n\n{body}"


def topic_of(notification: Notification, config: JsonObject) -> str:
    """Return the topic: as written, else one for each group of alerts."""
    own = get_text(config, "topic") or " ".join(notification.group_labels.values())
    return one_line(own, max_characters=_LONGEST_TOPIC) or "Alerts"
