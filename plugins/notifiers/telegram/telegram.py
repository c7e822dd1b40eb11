"""The Telegram notifier."""

from datetime import datetime
from typing import Final

from detectviz.contracts.config import get_text
from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, seconds_in, send_json
from detectviz.contracts.presses import Pressed, Received
from detectviz.contracts.types import JsonObject, JsonValue
from plugins.notifiers.telegram.payload import build_message, build_options
from plugins.notifiers.telegram.presses import answer_query, read_query

_SERVICE: Final = "Telegram"
_UNCHANGED: Final = "message is not modified"
_UNREADABLE: Final = "can't parse entities"
_WRONG_BUTTON: Final = ("button_url_invalid", "wrong http url", "button url")
_FIRST_GONE: Final = ("message to edit not found", "message can't be edited")
# A bot that is refused by a chat, or is not known to it, is told so with these.
_CLASSES: Final[dict[int, FailureClass]] = {
    401: "authError",
    403: "authError",
    404: "authError",
    429: "rateLimited",
}
_SERVER_ERROR: Final = 500


class TelegramNotifier:
    """Sends as a bot; answers or changes the first message of a group."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless Telegram says ok."""
        exchange = _tell(notification, context)
        has_buttons = not _refuses_buttons(exchange)
        if not has_buttons:
            exchange = _tell(notification, context, has_buttons=False)
        if _UNREADABLE in exchange.said("description"):
            context.logger.warning("Telegram cannot parse the message's markup; sent as plain text")
            exchange = _tell(notification, context, is_plain=True, has_buttons=has_buttons)
        is_same = _UNCHANGED in exchange.said("description")
        if not is_same:
            _require_ok(exchange)
        first = context.thread if context.thread.get("message_id") else _posted(exchange)
        if get_text(context.config, "updates") == "new":
            first = {}
        return exchange.receipt(
            external_id=str(_posted(exchange).get("message_id", "")), thread=first
        )

    def read_press(self, received: Received, *, key: str, now: datetime) -> Pressed:
        """Check and read a callback query by its secret token; it carries no time."""
        return read_query(received, key)

    def answer_press(self, pressed: Pressed, *, said: str) -> JsonObject:
        """Return an answer to the query."""
        return answer_query(pressed, said)


def _refuses_buttons(exchange: Exchange) -> bool:
    said = exchange.said("description").lower()
    return any(words in said for words in _WRONG_BUTTON)


def _tell(
    notification: Notification,
    context: NotifierContext,
    *,
    is_plain: bool = False,
    has_buttons: bool = True,
) -> Exchange:
    message = build_message(
        notification, context.config, is_plain=is_plain, has_buttons=has_buttons
    )
    first, updates = context.thread.get("message_id"), get_text(context.config, "updates")
    if first and updates == "edit":
        exchange = _call(context, "editMessageText", {**message, "message_id": first})
        if not any(words in exchange.said("description") for words in _FIRST_GONE):
            return exchange
    message |= build_options(context.config)
    if first and updates == "reply":
        # The first message may have been deleted: an answer then stands for itself.
        message["reply_parameters"] = {"message_id": first, "allow_sending_without_reply": True}
    return _call(context, "sendMessage", message)


def _call(context: NotifierContext, method: str, message: dict[str, JsonValue]) -> Exchange:
    base = get_text(context.config, "api_url").rstrip("/")
    url = f"{base}/bot{context.secrets['bot_token']}/{method}"
    return send_json(context, Outgoing(service=_SERVICE, url=url), message)


def _posted(exchange: Exchange) -> JsonObject:
    result = exchange.document.get("result")
    return {"message_id": result["message_id"]} if isinstance(result, dict) else {}


def _require_ok(exchange: Exchange) -> None:
    """Raise what ``{"ok": false, "error_code": …}`` means."""
    if exchange.is_success and exchange.document.get("ok") is True:
        return
    code = int(seconds_in(exchange.document, "error_code") or exchange.response.status_code)
    is_failure = code >= _SERVER_ERROR or (exchange.is_success and not exchange.document)
    reason = "serverError" if is_failure else _CLASSES.get(code, "clientError")
    raise exchange.refusal(
        reason=reason,
        says=exchange.said("description"),
        retry_after_s=seconds_in(exchange.document, "parameters", "retry_after"),
    )
