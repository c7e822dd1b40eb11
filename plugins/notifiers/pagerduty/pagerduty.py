"""The PagerDuty notifier."""

from typing import Final

from detectviz.contracts.config import get_text
from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, send_json
from plugins.notifiers.pagerduty.payload import build_event

_SERVICE: Final = "PagerDuty"
_WRONG_KEY: Final = "routing_key"


class PagerDutyNotifier:
    """Sends events; PagerDuty makes one incident of those of a group."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the event was accepted."""
        event = build_event(
            notification, context.config, routing_key=context.secrets["routing_key"]
        )
        outgoing = Outgoing(service=_SERVICE, url=get_text(context.config, "url"))
        exchange = send_json(context, outgoing, event)
        if not exchange.is_success:
            raise exchange.refusal(reason=_reason(exchange), says=_words(exchange))
        return exchange.receipt(external_id=exchange.said("dedup_key"))


def _words(exchange: Exchange) -> str:
    errors = exchange.document.get("errors")
    named = "; ".join(map(str, errors)) if isinstance(errors, list) else ""
    return ": ".join(filter(None, (exchange.said("message"), named)))


def _reason(exchange: Exchange) -> FailureClass | None:
    # A key that does not exist is told as an invalid event, not as 401.
    return "authError" if _WRONG_KEY in _words(exchange) else None
