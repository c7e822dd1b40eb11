"""The Feishu and Lark notifier."""

import json
from datetime import datetime
from typing import Final
from urllib.parse import quote

from detectviz.contracts.config import get_object, get_text
from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, send_json
from detectviz.contracts.presses import Pressed, Received
from detectviz.contracts.types import JsonObject, JsonValue
from plugins.notifiers.feishu.payload import build_message, sign
from plugins.notifiers.feishu.presses import answer_action, read_action

_SERVICE: Final = "Feishu"
_AUTH: Final = frozenset(
    {"19001", "19021", "19022", "10003", "10014", "99991663", "99991664", "99991672", "230002"}
)
_LIMITED: Final = frozenset({"9499001", "11232", "99991400", "230020"})
# Why a card can be changed no more: withdrawn, not there, too old.
_GONE: Final = frozenset({"230011", "230110", "230031"})
_FAILED: Final = frozenset({"11247", "None"})
_LONGEST_UUID: Final = 50
_WAIT_S: Final = 60.0  # limits are counted per minute, and answers do not say when it is over


class FeishuNotifier:
    """Posts a card through a custom bot, or as an app that can change it and hears of presses."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the code is 0."""
        message = build_message(notification, context.config)
        if context.secrets.get("app_secret"):
            return _as_app(notification, context, get_object(message, "card"))
        if secret := context.secrets.get("secret"):
            message = {**sign(context.now(), secret), **message}
        outgoing = Outgoing(service=_SERVICE, url=context.secrets["webhook_url"])
        exchange = send_json(context, outgoing, message)
        _require_code(exchange)
        return exchange.receipt()

    def read_press(self, received: Received, *, key: str, now: datetime) -> Pressed:
        """Check and read a card's action, by the Encrypt Key or the Verification Token."""
        return read_action(received, key, now)

    def answer_press(self, pressed: Pressed, *, said: str) -> JsonObject:
        """Return the challenge, or a toast."""
        return answer_action(pressed, said)


def _as_app(notification: Notification, context: NotifierContext, card: JsonObject) -> Receipt:
    shared = {**card, "config": {**get_object(card, "config"), "update_multi": True}}
    token, content = _token(context), json.dumps(shared, ensure_ascii=False)
    first = str(context.thread.get("message_id", ""))
    is_edit = get_text(context.config, "updates") == "edit"
    if first and is_edit:
        path = f"/im/v1/messages/{quote(first, safe='')}"
        exchange = _call(context, path, {"content": content}, token=token, method="PATCH")
        if str(exchange.document.get("code")) not in _GONE:
            _require_code(exchange)
            return exchange.receipt(external_id=first, thread={"message_id": first})
    message: JsonObject = {
        "receive_id": get_text(context.config, "chat_id").strip(),
        "msg_type": "interactive",
        "content": content,
        "uuid": notification.delivery_id[:_LONGEST_UUID],  # one that was taken is not posted again
    }
    exchange = _call(context, "/im/v1/messages?receive_id_type=chat_id", message, token=token)
    _require_code(exchange)
    posted = str(get_object(exchange.document, "data").get("message_id", ""))
    kept: dict[str, JsonValue] = {"message_id": posted} if posted and is_edit else {}
    return exchange.receipt(external_id=posted, thread=kept)


def _token(context: NotifierContext) -> str:
    asked: JsonObject = {
        "app_id": get_text(context.config, "app_id").strip(),
        "app_secret": context.secrets["app_secret"],
    }
    exchange = _call(context, "/auth/v3/tenant_access_token/internal", asked)
    _require_code(exchange)
    return exchange.said("tenant_access_token")


def _call(
    context: NotifierContext,
    path: str,
    document: JsonObject,
    *,
    token: str = "",
    method: str = "POST",
) -> Exchange:
    outgoing = Outgoing(
        service=_SERVICE,
        url=f"{get_text(context.config, 'server_url')}/open-apis{path}",
        method=method,
        headers=(("Authorization", f"Bearer {token}"),) if token else (),
    )
    return send_json(context, outgoing, document)


def _require_code(exchange: Exchange) -> None:
    """Raise what a code other than 0 means; old bots call it StatusCode."""
    document = exchange.document
    code = document.get("code", document.get("StatusCode"))
    if exchange.is_success and code == 0:
        return
    if code is None and not exchange.is_success:
        raise exchange.refusal()
    raise exchange.refusal(
        reason=_reason(str(code)),
        says=f"{exchange.said('msg', 'StatusMessage') or 'no code'} ({code})",
        retry_after_s=_WAIT_S if str(code) in _LIMITED else None,
    )


def _reason(code: str) -> FailureClass:
    if code in _AUTH:
        return "authError"
    if code in _LIMITED:
        return "rateLimited"
    return "serverError" if code in _FAILED else "clientError"
