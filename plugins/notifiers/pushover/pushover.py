"""The Pushover notifier."""

from typing import Final

from detectviz.contracts.config import get_text
from detectviz.contracts.errors import PluginError
from detectviz.contracts.http_answers import FailureClass
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, incident_key, send_form
from detectviz.contracts.types import AlertStatus
from plugins.notifiers.pushover.payload import EMERGENCY, build_fields, priority_of

_SERVICE: Final = "Pushover"
_CREDENTIALS: Final = ("token", "user")
_SERVER_ERROR: Final = 500


class PushoverNotifier:
    """Sends a message; ends the repetitions of an emergency once all is over."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless Pushover says status 1."""
        url = get_text(context.config, "api_url")
        is_over = notification.status is AlertStatus.RESOLVED
        if is_over and context.thread.get("is_emergency"):
            _end_repetitions(context, url, incident_key(notification))
        exchange = send_form(
            context,
            Outgoing(service=_SERVICE, url=url),
            [
                ("token", context.secrets["token"]),
                ("user", context.secrets["user_key"]),
                *build_fields(notification, context.config),
            ],
        )
        _require_status(exchange)
        is_emergency = priority_of(notification, context.config) == EMERGENCY
        return exchange.receipt(
            external_id=exchange.said("receipt", "request"),
            thread={"is_emergency": True} if is_emergency else {},
        )


def _end_repetitions(context: NotifierContext, url: str, tag: str) -> None:
    outgoing = Outgoing(
        service=_SERVICE, url=f"{url.rpartition('/')[0]}/receipts/cancel_by_tag/{tag}.json"
    )
    try:
        send_form(context, outgoing, [("token", context.secrets["token"])])
    except PluginError as error:
        # They end by themselves; that all is over must be told nevertheless.
        context.logger.warning("Pushover goes on repeating: %s", error.message)


def _require_status(exchange: Exchange) -> None:
    """Raise what ``{"status": 0, "errors": […]}`` means."""
    if exchange.is_success and exchange.document.get("status") == 1:
        return
    errors = exchange.document.get("errors")
    says = "; ".join(map(str, errors)) if isinstance(errors, list) else ""
    reason: FailureClass | None = None
    if any(exchange.said(name) == "invalid" for name in _CREDENTIALS):
        reason = "authError"
    elif exchange.is_success:
        reason = "clientError" if says else "serverError"
    raise exchange.refusal(reason=reason, says=says)
