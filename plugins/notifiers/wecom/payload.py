"""Messages of WeCom's robots and applications: 4,096 or 2,048 bytes of its own small Markdown."""

from typing import Final

from detectviz.contracts.alert_blocks import (
    Markup,
    body_of,
    fitted,
    markdown_markup,
    plain_markup,
    utf8_size,
    written,
)
from detectviz.contracts.config import get_text, get_texts
from detectviz.contracts.message import clean, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.rendering import severity_of
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue

EVERYBODY: Final = "@all"
_LONGEST_ROBOT_MARKDOWN: Final = 4_096
_LONGEST: Final = 2_048
_LONGEST_TITLE: Final = 300
# Its Markdown knows three colours by name, and no escapes: marks become their full-width likes.
_COLOURS: Final = {"critical": "warning", "warning": "warning", "info": "comment"}
_WIDE: Final = str.maketrans(
    {mark: chr(ord(mark) + 0xFEE0) for mark in "<>*`[]#@"}  # U+FF01…U+FF5E mirror ASCII
)
_MARKDOWN: Final[Markup] = markdown_markup(
    escape=lambda text: clean(text).translate(_WIDE), measure=utf8_size
)
_PLAIN: Final[Markup] = plain_markup(utf8_size)


def build_robot_message(notification: Notification, config: JsonObject) -> JsonObject:
    """Return the body of a robot's message, calling whom it shall while anything fires."""
    is_firing = notification.status is AlertStatus.FIRING
    called = get_texts(config, "mentions") if is_firing else ()
    if get_text(config, "message_type") == "text":
        content = _content(notification, config, longest=_LONGEST)
        return {"msgtype": "text", "text": {"content": content, "mentioned_list": list(called)}}
    mentions = " ".join(f"<@{each}>" for each in called if each != EVERYBODY)
    room = _LONGEST_ROBOT_MARKDOWN - (utf8_size(mentions) + 1 if mentions else 0)
    content = _content(notification, config, longest=room)
    return {
        "msgtype": "markdown",
        "markdown": {"content": f"{content}\n{mentions}" if mentions else content},
    }


def build_application_message(notification: Notification, config: JsonObject) -> JsonObject:
    """Return the body of an application's message; WeCom drops one it had within 30 minutes."""
    kind = get_text(config, "message_type")
    agent = get_text(config, "agent_id").strip()
    to_whom = {
        "touser": get_text(config, "to_user"),
        "toparty": get_text(config, "to_party"),
        "totag": get_text(config, "to_tag"),
    }
    message: dict[str, JsonValue] = {name: value for name, value in to_whom.items() if value}
    return {
        **(message or {"touser": EVERYBODY}),
        "msgtype": kind,
        "agentid": int(agent) if agent.isdigit() else agent,
        kind: {"content": _content(notification, config, longest=_LONGEST)},
    }


def _content(notification: Notification, config: JsonObject, *, longest: int) -> str:
    is_text = get_text(config, "message_type") == "text"
    if own := get_text(config, "message"):
        return (
            fitted(own, _PLAIN, max_size=longest)
            if is_text
            else written(own, max_size=longest, measure=utf8_size)
        )
    markup = _PLAIN if is_text else _MARKDOWN
    title = fitted(title_of(notification), markup, max_size=_LONGEST_TITLE)
    if not is_text:
        is_over = notification.status is AlertStatus.RESOLVED
        colour = "info" if is_over else _COLOURS[severity_of(notification)]
        title = f'**<font color="{colour}">{title}</font>**'
    room = longest - utf8_size(title) - 2
    return f"{title}\n\n{body_of(notification, markup, max_size=room, with_buttons=True)}"
