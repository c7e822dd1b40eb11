"""The ntfy notifier."""

from typing import Final

from detectviz.contracts.config import get_text
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Outgoing, send_json, tls_of
from plugins.notifiers.ntfy.payload import build_message

_SERVICE: Final = "ntfy"


class NtfyNotifier:
    """Publishes to a topic."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the message was published."""
        exchange = send_json(
            context, _outgoing(context), build_message(notification, context.config)
        )
        exchange.require_success(says=exchange.said("error"))
        return exchange.receipt(external_id=exchange.said("id"))


def _outgoing(context: NotifierContext) -> Outgoing:
    config, secrets = context.config, context.secrets
    token, password = secrets.get("token"), secrets.get("password")
    return Outgoing(
        service=_SERVICE,
        url=get_text(config, "server_url").rstrip("/") + "/",
        headers=(("Authorization", f"Bearer {token}"),) if token else (),
        basic_auth=(get_text(config, "username"), password) if password and not token else None,
        tls=tls_of(config),
    )
