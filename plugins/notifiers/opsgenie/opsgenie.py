"""The Opsgenie notifier."""

from typing import Final
from urllib.parse import quote

from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Exchange, Outgoing, incident_key, send_json
from detectviz.contracts.read_back import Told, ask, is_found
from detectviz.contracts.types import AlertStatus, JsonObject
from plugins.notifiers.opsgenie.payload import (
    build_alert,
    description_of,
    message_of,
    source_of,
)

_SERVICE: Final = "Opsgenie"


class OpsgenieNotifier:
    """Creates the alert of a group, and closes it."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the requests were accepted."""
        config, alias = context.config, incident_key(notification)
        if notification.status is AlertStatus.RESOLVED:
            document = {"source": source_of(notification, config)}
            exchange = _call(context, "POST", f"/{alias}/close?identifierType=alias", document)
        else:
            exchange = _call(context, "POST", "", build_alert(notification, config, alias=alias))
            if get_bool(config, "update_alerts"):
                _update(notification, context, alias)
        return exchange.receipt(external_id=exchange.said("requestId"))

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Return whether the request, which is only taken at first, was carried out."""
        like = _outgoing(context, "GET", f"/requests/{quote(told.external_id, safe='')}")
        exchange = ask(context, like=like, url=like.url)
        is_there = is_found(exchange, says=exchange.said("message"))
        done = exchange.document.get("data")
        return is_there and isinstance(done, dict) and done.get("success") is True


def _update(notification: Notification, context: NotifierContext, alias: str) -> None:
    query = "?identifierType=alias"
    message = {"message": message_of(notification, context.config)}
    _call(context, "PUT", f"/{alias}/message{query}", message)
    description = {"description": description_of(notification, context.config)}
    _call(context, "PUT", f"/{alias}/description{query}", description)


def _call(context: NotifierContext, method: str, path: str, document: JsonObject) -> Exchange:
    exchange = send_json(context, _outgoing(context, method, path), document)
    exchange.require_success(says=exchange.said("message"))
    return exchange


def _outgoing(context: NotifierContext, method: str, path: str) -> Outgoing:
    base = get_text(context.config, "api_url").rstrip("/")
    return Outgoing(
        service=_SERVICE,
        url=f"{base}/v2/alerts{path}",
        method=method,
        headers=(("Authorization", f"GenieKey {context.secrets['api_key']}"),),
    )
