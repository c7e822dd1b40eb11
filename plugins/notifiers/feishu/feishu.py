"""The Feishu and Lark notifier."""

from typing import Final

from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, send_json
from plugins.notifiers.feishu.payload import build_message, sign

_SERVICE: Final = "Feishu"
_AUTH: Final = frozenset({"19001", "19021", "19022"})
_LIMITED: Final = frozenset({"9499001", "11232", "99991400"})
_FAILED: Final = frozenset({"11247", "None"})
_WAIT_S: Final = 60.0  # limits are counted per minute, and answers do not say when it is over


class FeishuNotifier:
    """Posts a card through a custom bot."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the code is 0."""
        message = build_message(notification, context.config)
        if secret := context.secrets.get("secret"):
            message = {**sign(context.now(), secret), **message}
        outgoing = Outgoing(service=_SERVICE, url=context.secrets["webhook_url"])
        exchange = send_json(context, outgoing, message)
        _require_code(exchange)
        return exchange.receipt()


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
