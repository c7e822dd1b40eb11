"""The notifier that forwards to another Alertmanager."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from detectviz.contracts.config import get_duration_s, get_text
from detectviz.contracts.notifier import Notification, NotifiedAlert, NotifierContext, Receipt
from detectviz.contracts.posting import Outgoing, send_json, tls_of
from detectviz.contracts.read_back import Told, ask, is_found
from detectviz.contracts.types import AlertStatus, JsonObject
from detectviz.contracts.webhook_document import webhook_time

_SERVICE: Final = "Alertmanager"
_DAY_S: Final = 86_400.0


class AlertmanagerNotifier:
    """Posts the alerts themselves: the other side groups, silences and tells."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the alerts were taken."""
        outgoing = _outgoing(context)
        lifetime = timedelta(seconds=get_duration_s(context.config, "lifetime") or _DAY_S)
        ends_at = context.now() + lifetime
        exchange = send_json(context, outgoing, [*build_alerts(notification, ends_at=ends_at)])
        exchange.require_success(says=exchange.response.body[:200].decode("utf-8", "replace"))
        return exchange.receipt()

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Return whether the other side lists every firing alert that was forwarded."""
        like = _outgoing(context)
        return all(_has(each, like, context) for each in told.notification.firing)


def _has(alert: NotifiedAlert, like: Outgoing, context: NotifierContext) -> bool:
    wanted = _without_empty(alert)
    filters = [("filter", f"{_name(name)}={_quoted(wanted[name])}") for name in wanted]
    exchange = ask(context, like=like, url=f"{like.url}?{urlencode(filters)}")
    is_found(exchange, says=exchange.response.body[:200].decode("utf-8", "replace"))
    try:
        alerts = json.loads(exchange.response.body)
    except (ValueError, RecursionError):
        return False
    return isinstance(alerts, list) and any(
        isinstance(each, Mapping) and each.get("labels") == wanted for each in alerts
    )


def _name(name: str) -> str:
    # Servers before 0.27 do not know quoted names.
    return name if name.isascii() and name.isidentifier() else _quoted(name)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _outgoing(context: NotifierContext) -> Outgoing:
    config, secrets = context.config, context.secrets
    bearer, password = secrets.get("bearer_token"), secrets.get("password")
    return Outgoing(
        service=_SERVICE,
        url=f"{get_text(config, 'url').rstrip('/')}/api/v2/alerts",
        headers=(("Authorization", f"Bearer {bearer}"),) if bearer else (),
        basic_auth=(get_text(config, "username"), password) if password and not bearer else None,
        tls=tls_of(config),
    )


def build_alerts(notification: Notification, *, ends_at: datetime) -> Iterator[JsonObject]:
    """Yield the alerts as ``POST /api/v2/alerts`` takes them.

    Without an end, a firing alert would be resolved there after its ``resolve_timeout``, five
    minutes, because it is told again only at the repeat interval.
    """
    for alert in notification.alerts:
        yield {
            "labels": _without_empty(alert),
            "annotations": dict(alert.annotations),
            "startsAt": webhook_time(alert.starts_at),
            "endsAt": webhook_time(_end_of(alert, ends_at)),
            "generatorURL": alert.generator_url,
        }


def _end_of(alert: NotifiedAlert, ends_at: datetime) -> datetime:
    if alert.status is AlertStatus.FIRING:
        return ends_at
    return alert.ends_at or alert.starts_at


def _without_empty(alert: NotifiedAlert) -> dict[str, str]:
    # An empty label is no label, and refused.
    return {name: value for name, value in alert.labels.items() if value}
