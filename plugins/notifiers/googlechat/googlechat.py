"""The Google Chat notifier."""

from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from detectviz.contracts.config import get_text
from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, incident_key, send_json
from plugins.notifiers.googlechat.payload import build_message

_SERVICE: Final = "Google Chat"
_STATUSES: Final[dict[str, FailureClass]] = {
    "UNAUTHENTICATED": "authError",
    "PERMISSION_DENIED": "authError",
    "NOT_FOUND": "authError",
    "RESOURCE_EXHAUSTED": "rateLimited",
    "UNAVAILABLE": "serverError",
    "INTERNAL": "serverError",
}


class GoogleChatNotifier:
    """Posts a card to a space; its alert group is its thread."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the message was created."""
        message = build_message(notification, context.config)
        parts = urlsplit(context.secrets["webhook_url"])
        query = dict(parse_qsl(parts.query))
        if get_text(context.config, "updates") == "thread":
            message["thread"] = {"threadKey": incident_key(notification)}
            query["messageReplyOption"] = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
        url = urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(query), ""))
        exchange = send_json(context, Outgoing(service=_SERVICE, url=url), message)
        _require_success(exchange)
        return exchange.receipt(external_id=exchange.said("name"))


def _require_success(exchange: Exchange) -> None:
    """Raise what ``{"error": {"code": …, "message": …, "status": …}}`` means."""
    if exchange.is_success:
        return
    error = exchange.document.get("error")
    found = error if isinstance(error, dict) else {}
    raise exchange.refusal(
        reason=_STATUSES.get(str(found.get("status", ""))), says=str(found.get("message", ""))
    )
