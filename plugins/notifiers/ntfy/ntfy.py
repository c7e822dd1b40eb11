"""The ntfy notifier."""

import json
from typing import Final
from urllib.parse import quote, urlencode

from detectviz.contracts.config import get_text
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Outgoing, send_json, tls_of
from detectviz.contracts.read_back import Told, ask, is_found
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

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Return whether the topic has the message; the server keeps it for hours, or not."""
        like = _outgoing(context)
        topic = quote(get_text(context.config, "topic").strip(), safe="")
        query = urlencode({"poll": "1", "since": "all", "id": told.external_id})
        exchange = ask(context, like=like, url=f"{like.url}{topic}/json?{query}")
        is_found(exchange, says=exchange.said("error"))
        return told.external_id in _ids(exchange.response.body)


def _ids(lines: bytes) -> set[str]:
    """Return the ids of messages, one JSON object a line."""
    found: set[str] = set()
    for line in lines.splitlines():
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(message, dict):
            found.add(str(message.get("id")))
    return found


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
