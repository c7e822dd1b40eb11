"""The Twilio notifier."""

from typing import Final

from detectviz.contracts.config import get_text
from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, send_form
from plugins.notifiers.twilio.payload import build_text, build_twiml

_SERVICE: Final = "Twilio"
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
        config, secrets = context.config, context.secrets
        account = get_text(config, "account_sid")
        base = get_text(config, "api_url").rstrip("/")
        is_call = get_text(config, "mode") == "call"
        resource = "Calls" if is_call else "Messages"
        outgoing = Outgoing(
            service=_SERVICE,
            url=f"{base}/2010-04-01/Accounts/{account}/{resource}.json",
            basic_auth=(get_text(config, "api_key_sid") or account, secrets["auth_token"]),
        )
        content = (
            ("Twiml", build_twiml(notification, config))
            if is_call
            else ("Body", build_text(notification, config))
        )
        fields = [("To", get_text(config, "to").strip()), *_sender(context), content]
        exchange = send_form(context, outgoing, fields)
        _require_success(exchange)
        return exchange.receipt(external_id=exchange.said("sid"))


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
