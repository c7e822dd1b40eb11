"""The LINE notifier."""

import uuid
from http import HTTPStatus
from typing import Final

from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Outgoing, send_json
from detectviz.contracts.types import JsonValue
from plugins.notifiers.line.payload import build_message

_SERVICE: Final = "LINE"


class LineNotifier:
    """Pushes a message as an official account."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless LINE took the message, now or before."""
        config = context.config
        said_once = f"{notification.org}/{notification.delivery_id}"
        outgoing = Outgoing(
            service=_SERVICE,
            url=f"{get_text(config, 'api_url').rstrip('/')}/v2/bot/message/push",
            headers=(
                ("Authorization", f"Bearer {context.secrets['channel_access_token']}"),
                ("X-Line-Retry-Key", str(uuid.uuid5(uuid.NAMESPACE_URL, said_once))),
            ),
        )
        document: dict[str, JsonValue] = {
            "to": get_text(config, "to").strip(),
            "messages": [build_message(notification, config)],
        }
        if get_bool(config, "notification_disabled"):
            document["notificationDisabled"] = True
        exchange = send_json(context, outgoing, document)
        # 409 says that the request with this key was accepted earlier: it is delivered.
        if exchange.response.status_code != HTTPStatus.CONFLICT:
            exchange.require_success(says=exchange.said("message"))
        sent = exchange.document.get("sentMessages")
        first = sent[0] if isinstance(sent, list) and sent else {}
        return exchange.receipt(external_id=str(first.get("id", "")))
