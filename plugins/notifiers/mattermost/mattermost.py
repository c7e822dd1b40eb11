"""The Mattermost notifier."""

from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, send_json, tls_of
from detectviz.contracts.presses import Pressed, Received
from detectviz.contracts.read_back import NotReadableError, Told, ask
from detectviz.contracts.types import JsonObject
from plugins.notifiers.mattermost.payload import (
    build_attachment,
    build_bot_post,
    build_webhook_post,
)
from plugins.notifiers.mattermost.presses import answer_action, build_actions, read_action

_SERVICE: Final = "Mattermost"
_WRONG_HOOK: Final = "web.incoming_webhook.invalid"
_RESET: Final = "X-Ratelimit-Reset"


class MattermostNotifier:
    """Posts to an incoming webhook, or as a bot to a channel, its threads and posts."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the post was stored."""
        if context.secrets.get("token"):
            return _as_bot(notification, context)
        outgoing = Outgoing(
            service=_SERVICE, url=context.secrets["webhook_url"], tls=tls_of(context.config)
        )
        post = build_webhook_post(notification, context.config, _actions(notification, context))
        exchange = send_json(context, outgoing, post)
        _require_success(exchange)
        return exchange.receipt()

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Return whether the bot finds its post."""
        if not context.secrets.get("token"):
            raise NotReadableError("Set up a bot with a token: a webhook can't read posts.")
        like = _outgoing(context, "GET", f"/posts/{quote(told.external_id, safe='')}")
        exchange = ask(context, like=like, url=like.url)
        if exchange.response.status_code == HTTPStatus.NOT_FOUND:
            return False
        _require_success(exchange)
        return exchange.said("id") == told.external_id and not exchange.said("delete_at")

    def read_press(self, received: Received, *, key: str, now: datetime) -> Pressed:
        """Check and read an action by the seal in the button's context."""
        return read_action(received, key, now)

    def answer_press(self, pressed: Pressed, *, said: str) -> JsonObject:
        """Return a message that only who pressed sees."""
        return answer_action(said)


def _actions(notification: Notification, context: NotifierContext) -> tuple[JsonObject, ...] | None:
    """Return the buttons that act, None where links are wanted."""
    if not get_bool(context.config, "interactive_buttons"):
        return None
    url, key = get_text(context.config, "callback_url"), context.secrets.get("callback_key", "")
    return tuple(build_actions(notification, url=url, key=key, now=context.now()))


def _as_bot(notification: Notification, context: NotifierContext) -> Receipt:
    updates, first = get_text(context.config, "updates"), str(context.thread.get("post_id", ""))
    if first and updates == "edit":
        actions = _actions(notification, context)
        props = {"attachments": [build_attachment(notification, context.config, actions)]}
        path = f"/posts/{quote(first, safe='')}/patch"
        exchange = _call(context, "PUT", path, {"props": props})
        if exchange.response.status_code != HTTPStatus.NOT_FOUND:
            _require_success(exchange)
            return exchange.receipt(external_id=first, thread={"post_id": first})
    root = first if updates == "thread" else ""
    exchange = _post(notification, context, root)
    if root and exchange.response.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}:
        # The first post may have been deleted: this one then begins a thread of its own.
        root, exchange = "", _post(notification, context, "")
    _require_success(exchange)
    posted = exchange.said("id")
    kept = {"post_id": root or posted} if updates != "new" else {}
    return exchange.receipt(external_id=posted, thread=kept)


def _post(notification: Notification, context: NotifierContext, root: str) -> Exchange:
    actions = _actions(notification, context)
    post = build_bot_post(notification, context.config, actions, root_id=root)
    return _call(context, "POST", "/posts", post)


def _call(context: NotifierContext, method: str, path: str, document: JsonObject) -> Exchange:
    return send_json(context, _outgoing(context, method, path), document)


def _outgoing(context: NotifierContext, method: str, path: str) -> Outgoing:
    base = get_text(context.config, "server_url").rstrip("/")
    return Outgoing(
        service=_SERVICE,
        url=f"{base}/api/v4{path}",
        method=method,
        headers=(("Authorization", f"Bearer {context.secrets['token']}"),),
        tls=tls_of(context.config),
    )


def _require_success(exchange: Exchange) -> None:
    if exchange.is_success:
        return
    reset = exchange.response.header(_RESET) or ""
    is_wrong_hook = exchange.said("id").startswith(_WRONG_HOOK)
    raise exchange.refusal(
        reason="authError" if is_wrong_hook else None,
        says=exchange.said("message"),
        retry_after_s=float(reset) if reset.isascii() and reset.isdigit() else None,
    )
