"""The Twilio notifier."""

from typing import Final
from urllib.parse import quote

from detectviz.contracts.config import get_text
from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, send_form
from detectviz.contracts.read_back import Told, ask, is_found
from plugins.notifiers.twilio.payload import build_text, build_twiml

_SERVICE: Final = "Twilio"
_LOST: Final = frozenset({"failed", "undelivered", "busy", "no-answer", "canceled"})
_ARRIVED: Final = frozenset({"delivered", "read", "in-progress", "completed"})
# Where the network tells no more than that it took the message, Twilio has no later word.
_SENT: Final = "sent"
_CODES: Final[dict[str, FailureClass]] = {
    "20003": "authError",
    "20403": "authError",
    "20005": "authError",
    "20429": "rateLimited",
    "14107": "rateLimited",
}


class TwilioNotifier:
    """Sends a text message to one number, or calls it."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless Twilio took the message or call."""
        config = context.config
        is_call = get_text(config, "mode") == "call"
        outgoing = _outgoing(context, "Calls" if is_call else "Messages")
        content = (
            ("Twiml", build_twiml(notification, config))
            if is_call
            else ("Body", build_text(notification, config))
        )
        fields = [("To", get_text(config, "to").strip()), *_sender(context), content]
        exchange = send_form(context, outgoing, fields)
        _require_success(exchange)
        return exchange.receipt(external_id=exchange.said("sid"))

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Return whether the network says that the message arrived, or the call was answered."""
        is_call = get_text(context.config, "mode") == "call"
        resource = "Calls" if is_call else "Messages"
        like = _outgoing(context, f"{resource}/{quote(told.external_id, safe='')}")
        exchange = ask(context, like=like, url=like.url)
        if not is_found(exchange, says=exchange.said("message", "detail")):
            return False
        status = exchange.said("status")
        if status in _LOST:
            says = f"it was not delivered: {status} {exchange.said('error_message')}"
            raise exchange.refusal(reason="serverError", says=says)
        return status in _ARRIVED or (status == _SENT and not is_call)


def _outgoing(context: NotifierContext, resource: str) -> Outgoing:
    config = context.config
    account = get_text(config, "account_sid")
    base = get_text(config, "api_url").rstrip("/")
    return Outgoing(
        service=_SERVICE,
        url=f"{base}/2010-04-01/Accounts/{account}/{resource}.json",
        basic_auth=(get_text(config, "api_key_sid") or account, context.secrets["auth_token"]),
    )


def _sender(context: NotifierContext) -> list[tuple[str, str]]:
    service = get_text(context.config, "messaging_service_sid")
    if service and get_text(context.config, "mode") == "sms":
        return [("MessagingServiceSid", service)]
    return [("From", get_text(context.config, "from").strip())]


def _require_success(exchange: Exchange) -> None:
    if exchange.is_success:
        return
    code = exchange.said("code")
    says = exchange.said("message", "detail")
    raise exchange.refusal(reason=_CODES.get(code), says=f"{says} ({code})" if code else says)
