"""The Matrix notifier."""

import hashlib
from typing import Final
from urllib.parse import quote

from detectviz.contracts.config import get_text
from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, seconds_in, send_json, tls_of
from detectviz.contracts.read_back import Told, ask
from detectviz.contracts.types import JsonObject
from plugins.notifiers.matrix.payload import answering, build_content, replacing

_SERVICE: Final = "Matrix"
_CODES: Final[dict[str, FailureClass]] = {
    "M_FORBIDDEN": "authError",
    "M_UNKNOWN_TOKEN": "authError",
    "M_MISSING_TOKEN": "authError",
    "M_USER_DEACTIVATED": "authError",
    "M_LIMIT_EXCEEDED": "rateLimited",
}
_NOT_THERE: Final = "M_NOT_FOUND"


class MatrixNotifier:
    """Sends to a room; the homeserver drops what a retry sends twice."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the homeserver took the event."""
        updates, first = get_text(context.config, "updates"), context.thread.get("event_id")
        content = build_content(notification, context.config)
        document: JsonObject = content
        if isinstance(first, str) and updates == "thread":
            document = answering(content, first)
        elif isinstance(first, str) and updates == "edit":
            document = replacing(content, first)
        exchange = send_json(context, _outgoing(notification, context), document)
        _require_success(exchange)
        event = exchange.said("event_id")
        kept = {"event_id": str(first or event)} if updates != "new" else {}
        return exchange.receipt(external_id=event, thread=kept)

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Return whether the room has the event, and nobody took its content away."""
        like = _outgoing(told.notification, context)
        url = f"{_room_url(context)}/event/{quote(told.external_id, safe='')}"
        exchange = ask(context, like=like, url=url)
        if exchange.said("errcode") == _NOT_THERE:
            return False
        _require_success(exchange)
        return bool(exchange.document.get("content"))


def _room_url(context: NotifierContext) -> str:
    base = get_text(context.config, "homeserver_url").rstrip("/")
    room = quote(get_text(context.config, "room_id"), safe="")
    return f"{base}/_matrix/client/v3/rooms/{room}"


def _outgoing(notification: Notification, context: NotifierContext) -> Outgoing:
    said_once = f"{notification.org}\n{notification.delivery_id}"
    transaction = hashlib.sha256(said_once.encode("utf-8", "replace")).hexdigest()
    return Outgoing(
        service=_SERVICE,
        url=f"{_room_url(context)}/send/m.room.message/{transaction}",
        method="PUT",
        headers=(("Authorization", f"Bearer {context.secrets['access_token']}"),),
        tls=tls_of(context.config),
    )


def _require_success(exchange: Exchange) -> None:
    if exchange.is_success:
        return
    wait_ms = seconds_in(exchange.document, "retry_after_ms")
    raise exchange.refusal(
        reason=_CODES.get(exchange.said("errcode")),
        says=exchange.said("error", "errcode"),
        retry_after_s=None if wait_ms is None else wait_ms / 1_000,
    )
