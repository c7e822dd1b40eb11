"""The Zulip notifier."""

import json
from typing import Final

from detectviz.contracts.config import get_text, get_texts
from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, seconds_in, send_form, tls_of
from detectviz.contracts.read_back import Told, ask
from plugins.notifiers.zulip.payload import build_content, topic_of

_SERVICE: Final = "Zulip"
_CODES: Final[dict[str, FailureClass]] = {
    "INVALID_API_KEY": "authError",
    "UNAUTHORIZED": "authError",
    "USER_DEACTIVATED": "authError",
    "REALM_DEACTIVATED": "authError",
    "RATE_LIMIT_HIT": "rateLimited",
}
_UNCHANGEABLE: Final = "BAD_REQUEST"
_NOT_THERE: Final = "Invalid message"


class ZulipNotifier:
    """Writes to a channel's topic or to people; changes the first message if wanted."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless Zulip says success."""
        config = context.config
        content = build_content(notification, config)
        first = str(context.thread.get("message_id", ""))
        is_edit = get_text(config, "updates") == "edit"
        if is_edit and first.isdigit():
            exchange = _call(context, "PATCH", f"/messages/{first}", [("content", content)])
            # Too old to be changed, or gone: what is told goes into a new message.
            if exchange.is_success or exchange.said("code") != _UNCHANGEABLE:
                _require_success(exchange)
                return exchange.receipt(external_id=first, thread={"message_id": first})
        fields = [*_address(notification, context), ("content", content)]
        exchange = _call(context, "POST", "/messages", fields)
        _require_success(exchange)
        posted = exchange.said("id")
        return exchange.receipt(
            external_id=posted, thread={"message_id": posted} if is_edit else {}
        )

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Return whether the bot can fetch its message."""
        if not told.external_id.isdigit():
            return False
        like = _outgoing(context, "GET", f"/messages/{told.external_id}")
        exchange = ask(context, like=like, url=like.url)
        if exchange.said("msg").startswith(_NOT_THERE):
            return False
        _require_success(exchange)
        return isinstance(exchange.document.get("message"), dict)


def _address(notification: Notification, context: NotifierContext) -> list[tuple[str, str]]:
    if stream := get_text(context.config, "stream").strip():
        topic = topic_of(notification, context.config)
        return [("type", "stream"), ("to", stream), ("topic", topic)]
    people = json.dumps(list(get_texts(context.config, "to_users")))
    return [("type", "private"), ("to", people)]


def _call(
    context: NotifierContext, method: str, path: str, fields: list[tuple[str, str]]
) -> Exchange:
    return send_form(context, _outgoing(context, method, path), fields)


def _outgoing(context: NotifierContext, method: str, path: str) -> Outgoing:
    base = get_text(context.config, "server_url").rstrip("/")
    return Outgoing(
        service=_SERVICE,
        url=f"{base}/api/v1{path}",
        method=method,
        basic_auth=(get_text(context.config, "email"), context.secrets["api_key"]),
        tls=tls_of(context.config),
    )


def _require_success(exchange: Exchange) -> None:
    if exchange.is_success and exchange.said("result") == "success":
        return
    reason = _CODES.get(exchange.said("code"))
    if reason is None and exchange.is_success:
        reason = "clientError" if exchange.said("msg") else "serverError"
    raise exchange.refusal(
        reason=reason,
        says=exchange.said("msg"),
        retry_after_s=seconds_in(exchange.document, "retry-after"),
    )
