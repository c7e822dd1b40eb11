"""The Slack notifier."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, seconds_in, send_json
from detectviz.contracts.presses import Pressed, Received
from detectviz.contracts.read_back import NotReadableError, Told, ask
from detectviz.contracts.types import JsonObject, JsonValue
from plugins.notifiers.slack.payload import build_message
from plugins.notifiers.slack.presses import read_interaction

_SERVICE: Final = "Slack"
_AUTH: Final = frozenset(
    {
        *("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"),
        *("no_permission", "missing_scope", "not_allowed_token_type", "invalid_token"),
        *("action_prohibited", "org_login_required", "access_denied", "ekm_access_denied"),
    }
)
_LIMITED: Final = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_FAILED: Final = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error"}
)
# Why a message can be changed no more: what is told goes into a new one.
_GONE: Final = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"}
)


class SlackNotifier:
    """Posts to an incoming webhook, or as a bot to a channel, its threads and messages."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless Slack says ok."""
        message = build_message(notification, context.config)
        if not context.secrets.get("app_token"):
            url = context.secrets.get("api_url", "")
            exchange = send_json(context, Outgoing(service=_SERVICE, url=url), message)
            exchange.require_success(says=exchange.response.body[:200].decode("utf-8", "replace"))
            return exchange.receipt()
        return _as_bot(context, message)

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Return whether the channel's history, or the thread, has the message."""
        channel, first = str(told.thread.get("channel", "")), str(told.thread.get("ts", ""))
        if not context.secrets.get("app_token"):
            raise NotReadableError("Set a bot token: what a webhook posts can't be read by it.")
        if not channel:
            return False
        only = {"oldest": told.external_id, "latest": told.external_id, "inclusive": "true"}
        asked = {"channel": channel, "limit": "10", **only}
        return _has(told, context, "conversations.history", asked) or (
            first not in {"", told.external_id}
            and _has(told, context, "conversations.replies", {**asked, "ts": first})
        )

    def read_press(self, received: Received, *, key: str, now: datetime) -> Pressed:
        """Check and read an interaction by the signing secret."""
        return read_interaction(received, key, now)

    def answer_press(self, pressed: Pressed, *, said: str) -> JsonObject:
        """Return a message that only who pressed sees."""
        return {"response_type": "ephemeral", "replace_original": False, "text": said}


def _has(told: Told, context: NotifierContext, method: str, asked: Mapping[str, str]) -> bool:
    like = _outgoing(context, method)
    exchange = ask(context, like=like, url=f"{like.url}?{urlencode(asked)}")
    if exchange.said("error") not in _GONE | {"thread_not_found"}:
        _require_ok(exchange)
    messages = exchange.document.get("messages")
    return isinstance(messages, list) and any(
        isinstance(each, Mapping) and each.get("ts") == told.external_id for each in messages
    )


def _as_bot(context: NotifierContext, message: dict[str, JsonValue]) -> Receipt:
    config, first = context.config, context.thread
    is_update = get_bool(config, "update_message") and bool(first.get("ts"))
    is_answer = get_bool(config, "post_updates_to_thread") and bool(first.get("ts"))
    if is_update:
        exchange = _call(context, "chat.update", {**message, **first})
        if exchange.said("error") not in _GONE:
            _require_ok(exchange)
            if not is_answer:
                return exchange.receipt(external_id=str(first["ts"]), thread=first)
        else:
            is_answer, first = False, {}
    if is_answer:
        message["thread_ts"] = first["ts"]
    exchange = _call(context, "chat.postMessage", message)
    _require_ok(exchange)
    posted = {"channel": exchange.said("channel"), "ts": exchange.said("ts")}
    return exchange.receipt(external_id=posted["ts"], thread=first if is_answer else posted)


def _call(context: NotifierContext, method: str, document: JsonObject) -> Exchange:
    return send_json(context, _outgoing(context, method), document)


def _outgoing(context: NotifierContext, method: str) -> Outgoing:
    base = get_text(context.config, "app_url").rpartition("/")[0]
    return Outgoing(
        service=_SERVICE,
        url=f"{base}/{method}",
        headers=(("Authorization", f"Bearer {context.secrets['app_token']}"),),
    )


def _require_ok(exchange: Exchange) -> None:
    """Raise what ``{"ok": false, "error": …}`` means; Slack's answers are 200 all the same."""
    wait_s = seconds_in(exchange.document, "retry_after")
    exchange.require_success(says=exchange.said("error"), retry_after_s=wait_s)
    if exchange.document.get("ok") is True:
        return
    error = exchange.said("error")
    reason: FailureClass = "clientError"
    if error in _AUTH:
        reason = "authError"
    elif error in _LIMITED:
        reason = "rateLimited"
    elif error in _FAILED or not error:
        reason = "serverError"
    raise exchange.refusal(reason=reason, says=error, retry_after_s=wait_s)
