"""The Discord notifier."""

from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, seconds_in, send_json
from detectviz.contracts.presses import Pressed, Received
from detectviz.contracts.read_back import Told, ask
from detectviz.contracts.types import JsonObject, JsonValue
from plugins.notifiers.discord.payload import build_message, build_sender
from plugins.notifiers.discord.presses import answer_interaction, read_interaction

_SERVICE: Final = "Discord"
_UNKNOWN_MESSAGE: Final = 10008
_UNKNOWN_WEBHOOK: Final = frozenset({10015, 50027})


class DiscordNotifier:
    """Executes a webhook, or changes the message it posted first for a group."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless Discord stored the message."""
        message = build_message(notification, context.config)
        first = str(context.thread.get("message_id", ""))
        is_edit = bool(first) and get_text(context.config, "updates") == "edit"
        if is_edit:
            exchange = _send(context, message, message_id=first)
            if exchange.document.get("code") != _UNKNOWN_MESSAGE:
                _require_success(exchange)
                return exchange.receipt(external_id=first, thread={"message_id": first})
        exchange = _send(context, {**message, **build_sender(context.config)})
        _require_success(exchange)
        posted = exchange.said("id")
        return exchange.receipt(external_id=posted, thread={"message_id": posted} if posted else {})

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Return whether the webhook finds its message."""
        url = _url(context, told.external_id)
        exchange = ask(context, like=Outgoing(service=_SERVICE, url=url), url=url)
        if exchange.document.get("code") == _UNKNOWN_MESSAGE:
            return False
        _require_success(exchange)
        return exchange.said("id") == told.external_id

    def read_press(self, received: Received, *, key: str, now: datetime) -> Pressed:
        """Check and read an interaction by the application's public key."""
        return read_interaction(received, key, now)

    def answer_press(self, pressed: Pressed, *, said: str) -> JsonObject:
        """Return PONG, or a message that only who pressed sees."""
        return answer_interaction(pressed, said)


def _send(
    context: NotifierContext, message: dict[str, JsonValue], *, message_id: str = ""
) -> Exchange:
    method = "PATCH" if message_id else "POST"
    outgoing = Outgoing(service=_SERVICE, url=_url(context, message_id), method=method)
    return send_json(context, outgoing, message)


def _url(context: NotifierContext, message_id: str) -> str:
    parts = urlsplit(context.secrets["webhook_url"])
    # Without wait=true Discord answers before it knows whether the message can be stored.
    query = {**dict(parse_qsl(parts.query)), **({} if message_id else {"wait": "true"})}
    if get_bool(context.config, "interactive_buttons"):
        query["with_components"] = "true"  # else Discord leaves them away
    if thread := get_text(context.config, "thread_id").strip():
        query["thread_id"] = thread
    path = parts.path.rstrip("/")
    if message_id:
        path += f"/messages/{quote(message_id, safe='')}"
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode(query), ""))


def _require_success(exchange: Exchange) -> None:
    if exchange.is_success:
        return
    is_unknown = exchange.document.get("code") in _UNKNOWN_WEBHOOK
    raise exchange.refusal(
        reason="authError" if is_unknown else None,
        says=exchange.said("message"),
        retry_after_s=seconds_in(exchange.document, "retry_after"),
    )
