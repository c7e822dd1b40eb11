"""What a receiver is told, as it is stored with the delivery and handed to the notifier."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings

from apps.notifications.models import AlertGroup, Delivery, RoutedAlert
from apps.notifications.services.label_order import alert_key
from detectviz.contracts.notifier import Notification, NotificationAction, NotifiedAlert
from detectviz.contracts.types import AlertStatus

MAX_ALERTS = 1000


@dataclass(frozen=True, slots=True)
class Members:
    """What one notification tells about."""

    firing: Sequence[RoutedAlert]
    resolved: Sequence[RoutedAlert]


ActionSource = Callable[[Delivery], Sequence[NotificationAction]]
_action_sources: list[ActionSource] = []


def action_source_use(source: ActionSource) -> None:
    """Have every notification offer the actions ``source`` makes for its delivery.

    Called once by the app that knows how to answer them, when it is ready. The source signs its
    links; what it raises is the caller's failure, so it must not raise for what is missing.
    """
    if source not in _action_sources:
        _action_sources.append(source)


def notification_to_send(delivery: Delivery) -> Notification:
    """Return what a delivery tells: the stored payload with actions; templates come after it."""
    actions = tuple(action for source in _action_sources for action in source(delivery))
    return replace(notification_of(delivery.payload), actions=actions)


def notification_payload(
    *, group: AlertGroup, members: Members, delivery_uid: str, org: str
) -> dict[str, Any]:
    """Return the JSON of one notification; firing alerts first, at most 1,000."""
    told = [alert_payload(alert, org, AlertStatus.FIRING) for alert in _sorted(members.firing)]
    told += [alert_payload(alert, org, AlertStatus.RESOLVED) for alert in _sorted(members.resolved)]
    alerts = [*members.firing, *members.resolved]
    groups = {alert.rule_group for alert in alerts}
    return {
        "receiver": group.contact_point,
        "status": (AlertStatus.FIRING if members.firing else AlertStatus.RESOLVED).value,
        "alerts": told[:MAX_ALERTS],
        "group_key": group.group_key,
        "group_labels": group.group_labels,
        "common_labels": common_pairs([alert.labels for alert in alerts]),
        "common_annotations": common_pairs([alert.annotations for alert in alerts]),
        "external_url": settings.EXTERNAL_URL,
        "org": org,
        "rule_group": groups.pop() if len(groups) == 1 else "",
        "delivery_id": delivery_uid,
        "url": f"{settings.EXTERNAL_URL}/o/{org}/alerts",
        "truncated_alerts": max(len(alerts) - MAX_ALERTS, 0),
    }


def alert_payload(alert: RoutedAlert, org: str, status: AlertStatus) -> dict[str, Any]:
    """Return the JSON of one alert."""
    is_over = status is AlertStatus.RESOLVED
    return {
        "status": status.value,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "starts_at": alert.starts_at.isoformat(),
        "ends_at": alert.ends_at.isoformat() if is_over and alert.ends_at else None,
        "generator_url": alert.generator_url
        or f"{settings.EXTERNAL_URL}/o/{org}/alerts/{alert.fingerprint}",
        "fingerprint": alert.fingerprint,
        "value": alert.value,
    }


def notification_of(payload: Mapping[str, Any], *, is_test: bool = False) -> Notification:
    """Return the contract's object for a stored payload."""
    alerts = tuple(
        NotifiedAlert(
            status=AlertStatus(item["status"]),
            labels=item["labels"],
            annotations=item["annotations"],
            starts_at=datetime.fromisoformat(item["starts_at"]),
            ends_at=datetime.fromisoformat(item["ends_at"]) if item["ends_at"] else None,
            generator_url=item["generator_url"],
            fingerprint=item["fingerprint"],
            value=item["value"],
        )
        for item in payload["alerts"]
    )
    fields = {key: value for key, value in payload.items() if key not in {"status", "alerts"}}
    return Notification(
        status=AlertStatus(payload["status"]), alerts=alerts, is_test=is_test, **fields
    )


def _sorted(alerts: Sequence[RoutedAlert]) -> Sequence[RoutedAlert]:
    return sorted(alerts, key=lambda alert: alert_key(alert.labels))


def common_pairs(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the pairs every map has."""
    if not maps:
        return {}
    common = set(maps[0].items())
    for other in maps[1:]:
        common &= set(other.items())
    return dict(sorted(common))
