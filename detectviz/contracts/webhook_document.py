"""A notification as the JSON object of Alertmanager's webhook, version "4"."""

from datetime import UTC, datetime
from typing import Final

from detectviz.contracts.notifier import Notification, NotifiedAlert
from detectviz.contracts.types import JsonObject

VERSION: Final = "4"
_NO_TIME: Final = "0001-01-01T00:00:00Z"


def webhook_document(notification: Notification, *, max_alerts: int = 0) -> JsonObject:
    """Return the object; alerts beyond ``max_alerts`` are only counted, 0 keeps all.

    What Alertmanager does not know stands in the object ``detectviz``.
    """
    alerts = notification.alerts[:max_alerts] if max_alerts else notification.alerts
    left_out = len(notification.alerts) - len(alerts)
    return {
        "version": VERSION,
        "groupKey": notification.group_key,
        "truncatedAlerts": notification.truncated_alerts + left_out,
        "status": notification.status.value,
        "receiver": notification.receiver,
        "groupLabels": dict(notification.group_labels),
        "commonLabels": dict(notification.common_labels),
        "commonAnnotations": dict(notification.common_annotations),
        "externalURL": notification.external_url,
        "alerts": [_alert(alert) for alert in alerts],
        "detectviz": _ours(notification),
    }


def webhook_time(at: datetime | None) -> str:
    """Return a time as Alertmanager writes it, the year 1 for none."""
    if at is None:
        return _NO_TIME
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return f"{utc.isoformat(timespec='milliseconds')[:-6]}Z"


def _alert(alert: NotifiedAlert) -> JsonObject:
    return {
        "status": alert.status.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": webhook_time(alert.starts_at),
        "endsAt": webhook_time(alert.ends_at),
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }


def _ours(notification: Notification) -> JsonObject:
    ours: dict[str, str | bool] = {
        "org": notification.org,
        "rule_group": notification.rule_group,
        "delivery_id": notification.delivery_id,
        "url": notification.url,
    }
    if notification.is_test:
        ours["test"] = True
    return ours
