"""Events of Matrix rooms: plain text and HTML, in threads or as replacements, calling nobody."""

from typing import Final

from detectviz.contracts.alert_blocks import (
    body_of,
    fitted,
    html_markup,
    plain_markup,
    utf8_size,
    written,
)
from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.message import clean, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.rendering import colour_of
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue

# An event may have 65,536 bytes; a replacement carries its content twice.
_LONGEST_HTML: Final = 14_000
_LONGEST_PLAIN: Final = 8_000
_LONGEST_TITLE: Final = 1_000
_HTML: Final = html_markup(measure=utf8_size, line_end="<br>")
_PLAIN: Final = plain_markup(utf8_size)


def build_content(notification: Notification, config: JsonObject) -> dict[str, JsonValue]:
    """Return the content of m.room.message."""
    title = get_text(config, "title") or title_of(notification)
    plain = body_of(notification, _PLAIN, max_size=_LONGEST_PLAIN, with_buttons=True)
    is_calling = get_bool(config, "mention_room") and notification.status is AlertStatus.FIRING
    return {
        "msgtype": get_text(config, "msgtype"),
        "body": f"{fitted(title, _PLAIN, max_size=_LONGEST_TITLE)}\n\n{plain}",
        "format": "org.matrix.custom.html",
        "formatted_body": _html(notification, config, title),
        # Clients that know m.mentions call nobody the text merely names.
        "m.mentions": {"room": True} if is_calling else {},
    }


def answering(content: dict[str, JsonValue], first: str) -> JsonObject:
    """Return ``content`` as the next message of the thread that ``first`` began."""
    relation: JsonObject = {
        "rel_type": "m.thread",
        "event_id": first,
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": first},
    }
    return {**content, "m.relates_to": relation}


def replacing(content: dict[str, JsonValue], first: str) -> JsonObject:
    """Return ``content`` as the replacement of ``first``."""
    relation: JsonObject = {"rel_type": "m.replace", "event_id": first}
    return {
        **content,
        "body": f"* {content['body']}",
        "formatted_body": f"* {content['formatted_body']}",
        "m.new_content": content,
        "m.relates_to": relation,
    }


def _html(notification: Notification, config: JsonObject, title: str) -> str:
    own = written(clean(get_text(config, "message")), max_size=_LONGEST_HTML, measure=utf8_size)
    if own:
        return own
    heading = fitted(title, _HTML, max_size=_LONGEST_TITLE)
    colour = colour_of(notification)
    body = body_of(notification, _HTML, max_size=_LONGEST_HTML, with_buttons=True)
    return f'<strong><font data-mx-color="{colour}">{heading}</font></strong><br><br>{body}'
