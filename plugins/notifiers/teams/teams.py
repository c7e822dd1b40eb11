"""The Microsoft Teams notifier."""

from typing import Final

from detectviz.contracts.http_answers import FailureClass, failure_class
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, send_json
from plugins.notifiers.teams.payload import build_message

_SERVICE: Final = "Microsoft Teams"
_FAILED: Final = "returned HTTP error "


class TeamsNotifier:
    """Posts Adaptive Cards to a workflow, or to a connector that still takes them."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the workflow took the card."""
        outgoing = Outgoing(service=_SERVICE, url=context.secrets["webhook_url"])
        exchange = send_json(context, outgoing, build_message(notification, context.config))
        exchange.require_success(says=_message(exchange))
        _require_no_error_inside(exchange)
        return exchange.receipt()


def _message(exchange: Exchange) -> str:
    """Return the words of ``{"error": {"code": …, "message": …}}``."""
    error = exchange.document.get("error")
    return str(error.get("message", "")) if isinstance(error, dict) else ""


def _require_no_error_inside(exchange: Exchange) -> None:
    """Raise what a connector says within a 200: "… returned HTTP error 429 with ContextId …"."""
    text = exchange.response.body[:2_000].decode("utf-8", "replace")
    _, found, rest = text.partition(_FAILED)
    if not found:
        return
    status = rest[:3]
    reason: FailureClass = failure_class(int(status)) if status.isdigit() else "serverError"
    raise exchange.refusal(reason=reason, says=text[:200])
