"""The Rocket.Chat notifier."""

import re
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from detectviz.contracts.config import get_text
from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, send_json, tls_of
from detectviz.contracts.read_back import NotReadableError, Told, ask
from plugins.notifiers.rocketchat.payload import build_message

_SERVICE: Final = "Rocket.Chat"
_WAIT: Final = re.compile(r"wait (\d{1,6}) seconds")  # noqa: TID251 - our own constant pattern
_LIMITED: Final = "error-too-many-requests"
_AUTH: Final = ("not-authorized", "unauthorized", "error-invalid-user", "You must be logged in")


class RocketChatNotifier:
    """Posts as a user with a token, in threads if wanted, or to an incoming integration."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless Rocket.Chat says success."""
        message = build_message(notification, context.config)
        is_threading = get_text(context.config, "updates") == "thread"
        first = str(context.thread.get("message_id", "")) if is_threading else ""
        if first:
            message["tmid"] = first
        exchange = send_json(context, _outgoing(context), message)
        _require_success(exchange)
        stored = exchange.document.get("message")
        posted = str(stored.get("_id", "")) if isinstance(stored, dict) else ""
        root = first or posted
        kept = {"message_id": root} if is_threading and root else {}
        return exchange.receipt(external_id=posted, thread=kept)

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Return whether the user finds the message that was posted."""
        if not context.secrets.get("token"):
            raise NotReadableError("Set a user's token: an integration can't read messages.")
        like = _outgoing(context, "chat.getMessage")
        url = f"{like.url}?msgId={quote(told.external_id, safe='')}"
        exchange = ask(context, like=like, url=url)
        if exchange.response.status_code == HTTPStatus.BAD_REQUEST:
            return False  # what it answers for a message there is not
        _require_success(exchange)
        return isinstance(exchange.document.get("message"), dict)


def _outgoing(context: NotifierContext, method: str = "chat.postMessage") -> Outgoing:
    tls, secrets = tls_of(context.config), context.secrets
    if not secrets.get("token"):
        return Outgoing(service=_SERVICE, url=secrets["webhook_url"], tls=tls)
    base = get_text(context.config, "api_url").rstrip("/")
    return Outgoing(
        service=_SERVICE,
        url=f"{base}/api/v1/{method}",
        headers=(("X-Auth-Token", secrets["token"]), ("X-User-Id", secrets["token_id"])),
        tls=tls,
    )


def _require_success(exchange: Exchange) -> None:
    """Raise what ``{"success": false, "error": …}`` means."""
    if exchange.is_success and exchange.document.get("success") is True:
        return
    says = exchange.said("error", "message")
    found = _WAIT.search(says)
    raise exchange.refusal(
        reason=_reason(exchange, says),
        says=says,
        retry_after_s=float(found[1]) if found else None,
    )


def _reason(exchange: Exchange, says: str) -> FailureClass | None:
    if _LIMITED in says:
        return "rateLimited"
    if any(words in says for words in _AUTH):
        return "authError"
    if exchange.is_success:
        return "clientError" if says else "serverError"
    return None
