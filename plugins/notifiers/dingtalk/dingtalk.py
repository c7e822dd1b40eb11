"""The DingTalk notifier."""

from typing import Final
from urllib.parse import urlencode

from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, send_json
from plugins.notifiers.dingtalk.payload import build_message, sign

_SERVICE: Final = "DingTalk"
_SECURITY: Final = "310000"
_KEYWORDS: Final = "keywords not in content"
_AUTH: Final = frozenset({"300001", "300005", "40014"})
_LIMITED: Final = frozenset({"130101", "90018", "410100"})
_FAILED: Final = frozenset({"-1", "None"})
_WAIT_S: Final = 600.0  # a robot that sent over 20 messages in a minute is refused for ten


class DingTalkNotifier:
    """Posts through a custom robot."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless errcode is 0."""
        url = context.secrets["webhook_url"]
        if secret := context.secrets.get("secret"):
            url += ("&" if "?" in url else "?") + urlencode(sign(context.now(), secret))
        message = build_message(notification, context.config)
        exchange = send_json(context, Outgoing(service=_SERVICE, url=url), message)
        exchange.require_success(says=exchange.said("errmsg"))
        _require_code(exchange)
        return exchange.receipt()


def _require_code(exchange: Exchange) -> None:
    """Raise what an errcode other than 0 means."""
    code = exchange.document.get("errcode")
    if code == 0:
        return
    says = exchange.said("errmsg")
    raise exchange.refusal(
        reason=_reason(str(code), says),
        says=f"{says or 'no errcode'} ({code})",
        retry_after_s=_WAIT_S if str(code) in _LIMITED else None,
    )


def _reason(code: str, says: str) -> FailureClass:
    # Wrong signatures, addresses and missing keywords are told with one code.
    if code in _AUTH or (code == _SECURITY and _KEYWORDS not in says):
        return "authError"
    if code in _LIMITED:
        return "rateLimited"
    return "serverError" if code in _FAILED else "clientError"
