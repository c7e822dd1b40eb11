"""The Gotify notifier."""

from collections.abc import Mapping
from typing import Final

from detectviz.contracts.alert_blocks import body_of, markdown_markup, written
from detectviz.contracts.config import get_text
from detectviz.contracts.message import one_line, title_of
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Outgoing, send_json, tls_of
from detectviz.contracts.read_back import NotReadableError, Told, ask, is_found
from detectviz.contracts.rendering import escape_markdown, severity_of, web_url
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue

_SERVICE: Final = "Gotify"
_LONGEST: Final = 16_000
_LONGEST_TITLE: Final = 300
_HIGHEST: Final = 10
_PRIORITIES: Final = {"critical": 8, "warning": 5, "info": 3}
_MARKUP: Final = markdown_markup(
    escape=lambda text: escape_markdown(text).replace("<", "&lt;"), line_end="  \n"
)


class GotifyNotifier:
    """Posts a message as an application."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless Gotify stored the message."""
        outgoing = _outgoing(context, context.secrets["token"])
        exchange = send_json(context, outgoing, build_message(notification, context.config))
        exchange.require_success(says=exchange.said("errorDescription", "error"))
        return exchange.receipt(external_id=exchange.said("id"))

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Return whether the client's messages have the one that was posted."""
        token = context.secrets.get("client_token")
        if not token:
            raise NotReadableError("Set the client token: an application can't read messages.")
        if not told.external_id.isdigit():
            return False
        like = _outgoing(context, token)
        # The page begins below an id: one further leads to the message itself.
        query = f"?limit=1&since={int(told.external_id) + 1}"
        exchange = ask(context, like=like, url=f"{like.url}{query}")
        is_found(exchange, says=exchange.said("errorDescription", "error"))
        messages = exchange.document.get("messages")
        return isinstance(messages, list) and any(
            isinstance(each, Mapping) and str(each.get("id")) == told.external_id
            for each in messages
        )


def _outgoing(context: NotifierContext, token: str) -> Outgoing:
    base = get_text(context.config, "server_url").rstrip("/")
    return Outgoing(
        service=_SERVICE,
        url=f"{base}/message",
        headers=(("X-Gotify-Key", token),),
        tls=tls_of(context.config),
    )


def build_message(notification: Notification, config: JsonObject) -> JsonObject:
    """Return the message: Markdown, opening the alerts when touched."""
    own = get_text(config, "message")
    extras: dict[str, JsonValue] = {"client::display": {"contentType": "text/markdown"}}
    if url := web_url(notification.url):
        extras["client::notification"] = {"click": {"url": url}}
    return {
        "title": one_line(
            get_text(config, "title") or title_of(notification), max_characters=_LONGEST_TITLE
        ),
        "message": written(own, max_size=_LONGEST)
        or body_of(notification, _MARKUP, max_size=_LONGEST, with_buttons=True),
        "priority": _priority(notification, config),
        "extras": extras,
    }


def _priority(notification: Notification, config: JsonObject) -> int:
    wanted = get_text(config, "priority").strip()
    if wanted.isdigit() and int(wanted) <= _HIGHEST:
        return int(wanted)
    if notification.status is AlertStatus.RESOLVED:
        return _PRIORITIES["info"]
    return _PRIORITIES[severity_of(notification)]
