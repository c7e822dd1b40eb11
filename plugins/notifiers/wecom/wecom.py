"""The WeCom notifier."""

from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from detectviz.contracts.config import get_text
from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, send_bytes, send_json
from detectviz.contracts.types import JsonObject
from plugins.notifiers.wecom.payload import build_application_message, build_robot_message

_SERVICE: Final = "WeCom"
# Codes of https://developer.work.weixin.qq.com/document/path/90313
_AUTH: Final = frozenset(
    {"40001", "40013", "40014", "40091", "41001", "42001", "60020", "93000", "301002"}
)
_LIMITED: Final = frozenset({"45009", "45033"})
_BUSY: Final = "-1"
_WAIT_S: Final = 60.0  # limits are counted per minute, and answers do not say when it is over


class WeComNotifier:
    """Tells a group's robot, or sends as an application."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless errcode is 0."""
        if context.secrets.get("api_secret"):
            message = build_application_message(notification, context.config)
            token = _token(context)
            hidden = replace(context, secrets={**context.secrets, "access_token": token})
            base = get_text(context.config, "api_url").rstrip("/")
            url = f"{base}/message/send?{urlencode({'access_token': token})}"
            exchange = _call(hidden, url, message)
        else:
            message = build_robot_message(notification, context.config)
            exchange = _call(context, context.secrets.get("webhook_url", ""), message)
        return exchange.receipt(external_id=exchange.said("msgid"))


def _token(context: NotifierContext) -> str:
    """Return a token of the application; WeCom repeats one while it lasts."""
    base = get_text(context.config, "api_url").rstrip("/")
    credentials = {
        "corpid": get_text(context.config, "corp_id"),
        "corpsecret": context.secrets["api_secret"],
    }
    return _call(context, f"{base}/gettoken?{urlencode(credentials)}", None).said("access_token")


def _call(context: NotifierContext, url: str, document: JsonObject | None) -> Exchange:
    if document is None:
        outgoing = Outgoing(service=_SERVICE, url=url, method="GET")
        exchange = send_bytes(context, outgoing, b"", content_type="application/json")
    else:
        exchange = send_json(context, Outgoing(service=_SERVICE, url=url), document)
    exchange.require_success(says=exchange.said("errmsg"))
    code = exchange.document.get("errcode")
    if code == 0:
        return exchange
    raise exchange.refusal(
        reason=_reason(str(code)),
        says=f"{exchange.said('errmsg')} ({code})",
        retry_after_s=_WAIT_S if str(code) in _LIMITED else None,
    )


def _reason(code: str) -> FailureClass:
    if code in _AUTH:
        return "authError"
    if code in _LIMITED:
        return "rateLimited"
    return "serverError" if code in {_BUSY, "None"} else "clientError"
