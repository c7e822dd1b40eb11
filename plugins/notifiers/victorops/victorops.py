"""The Splunk On-Call (VictorOps) notifier."""

from typing import Final
from urllib.parse import quote

from detectviz.contracts.alert_blocks import LONGEST_TEXT, fitted, plain_markup, whole_text
from detectviz.contracts.config import get_text, get_text_map
from detectviz.contracts.message import details_of, one_line, title_of
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Outgoing, incident_key, send_json
from detectviz.contracts.rendering import severity_of, web_url
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue

_SERVICE: Final = "Splunk On-Call"
_LONGEST_TITLE: Final = 500
_LONGEST_MESSAGE: Final = 20_480
_KINDS: Final = frozenset({"CRITICAL", "WARNING", "INFO"})
_PLAIN: Final = plain_markup()


class VictorOpsNotifier:
    """Opens and resolves an incident through the REST endpoint."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the result is success."""
        base = get_text(context.config, "api_url").rstrip("/")
        key = quote(context.secrets["api_key"], safe="")
        team = quote(get_text(context.config, "routing_key").strip(), safe="")
        outgoing = Outgoing(service=_SERVICE, url=f"{base}/{key}/{team}")
        exchange = send_json(context, outgoing, build_incident(notification, context.config))
        exchange.require_success(says=exchange.said("message", "messages"))
        if exchange.said("result") != "success":
            says = exchange.said("message")
            raise exchange.refusal(reason="clientError" if says else "serverError", says=says)
        return exchange.receipt(external_id=exchange.said("entity_id"))


def build_incident(notification: Notification, config: JsonObject) -> JsonObject:
    """Return the body: RECOVERY ends what has the same entity_id."""
    title = get_text(config, "entity_display_name") or title_of(notification)
    text = get_text(config, "state_message") or (
        whole_text(notification)
        if notification.is_templated
        else details_of(notification, max_characters=LONGEST_TEXT)
    )
    incident: dict[str, JsonValue] = {
        **get_text_map(config, "custom_fields"),
        "message_type": _kind(notification, config),
        "entity_id": incident_key(notification),
        "entity_display_name": one_line(title, max_characters=_LONGEST_TITLE),
        "state_message": fitted(text, _PLAIN, max_size=_LONGEST_MESSAGE),
        "state_start_time": int(min(each.starts_at for each in notification.alerts).timestamp()),
        "monitoring_tool": get_text(config, "monitoring_tool"),
        "alert_url": web_url(notification.url),
    }
    return {name: value for name, value in incident.items() if value}


def _kind(notification: Notification, config: JsonObject) -> str:
    if notification.status is AlertStatus.RESOLVED:
        return "RECOVERY"
    wanted = get_text(config, "message_type").strip().upper()
    return wanted if wanted in _KINDS else severity_of(notification).upper()
