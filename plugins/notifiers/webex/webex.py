"""The Webex notifier."""

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from detectviz.contracts.alert_blocks import (
    body_of,
    fitted,
    markdown_markup,
    utf8_size,
    written,
)
from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.message import title_of
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, send_json
from detectviz.contracts.read_back import Told, ask, is_found
from detectviz.contracts.rendering import escape_markdown
from detectviz.contracts.types import JsonObject, JsonValue

_SERVICE: Final = "Webex"
_LONGEST: Final = 7_000  # of 7,439 bytes
_LONGEST_TITLE: Final = 500
_MARKUP: Final = markdown_markup(
    escape=lambda text: escape_markdown(text).replace("<", "&lt;"),
    measure=utf8_size,
    line_end="  \n",
)


class WebexNotifier:
    """Writes to a space as a bot; answers the first message of a group."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless Webex stored the message."""
        is_threading = get_text(context.config, "updates") == "thread"
        first = str(context.thread.get("message_id", "")) if is_threading else ""
        message = build_message(notification, context.config)
        exchange = _send(context, {**message, "parentId": first} if first else message)
        if first and exchange.response.status_code in {
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.NOT_FOUND,
        }:
            # The first message may have been deleted: this one begins a thread of its own.
            first, exchange = "", _send(context, message)
        exchange.require_success(says=exchange.said("message"))
        posted = exchange.said("id")
        kept = {"message_id": first or posted} if is_threading else {}
        return exchange.receipt(external_id=posted, thread=kept)

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Return whether the bot finds its message."""
        like = _outgoing(context)
        url = f"{like.url.rstrip('/')}/{quote(told.external_id, safe='')}"
        exchange = ask(context, like=like, url=url)
        is_there = is_found(exchange, says=exchange.said("message"))
        return is_there and exchange.said("id") == told.external_id


def build_message(notification: Notification, config: JsonObject) -> dict[str, JsonValue]:
    """Return the body of Create a Message."""
    own = written(get_text(config, "message"), max_size=_LONGEST, measure=utf8_size)
    if own and not get_bool(config, "allow_mentions"):
        own = own.replace("<@all", "&lt;@all")
    title = get_text(config, "title") or title_of(notification)
    heading = _MARKUP.bold(fitted(title, _MARKUP, max_size=_LONGEST_TITLE))
    room = _LONGEST - utf8_size(heading) - 2
    body = body_of(notification, _MARKUP, max_size=room, with_buttons=True)
    return {
        "roomId": get_text(config, "room_id").strip(),
        "markdown": own or f"{heading}\n\n{body}",
    }


def _send(context: NotifierContext, message: JsonObject) -> Exchange:
    return send_json(context, _outgoing(context), message)


def _outgoing(context: NotifierContext) -> Outgoing:
    return Outgoing(
        service=_SERVICE,
        url=get_text(context.config, "api_url"),
        headers=(("Authorization", f"Bearer {context.secrets['bot_token']}"),),
    )
