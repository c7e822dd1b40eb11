"""What a receiver is told, as it is stored with the delivery and handed to the notifier."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from django.conf import settings

from apps.notifications.models import AlertGroup, Delivery
from apps.notifications.services.alert_facts import TellableAlert
from apps.notifications.services.label_order import alert_key
from detectviz.contracts.notifier import Notification, NotificationAction, NotifiedAlert
from detectviz.contracts.schedules import ScheduleError, parse_timezone
from detectviz.contracts.types import AlertStatus

MAX_ALERTS = 1000
_NOT_FIELDS = frozenset({"status", "alerts", "time_zone"})
_STATUSES = {status.value: status for status in AlertStatus}


@dataclass(frozen=True, slots=True)
class Members:
    """What one notification tells about."""

    firing: Sequence[TellableAlert]
    resolved: Sequence[TellableAlert]


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
    *, group: AlertGroup, members: Members, delivery_uid: str, org: str, time_zone: str
) -> dict[str, Any]:
    """Return the JSON of one notification; firing alerts first, at most 1,000.

    Its times are UTC; ``time_zone`` is where they are told.
    """
    firing, resolved = _sorted(members.firing), _sorted(members.resolved)
    alerts = [*firing, *resolved]
    told = [alert_payload(alert, org, AlertStatus.FIRING) for alert in firing[:MAX_ALERTS]]
    room = MAX_ALERTS - len(told)
    told += [alert_payload(alert, org, AlertStatus.RESOLVED) for alert in resolved[:room]]
    groups = {alert.rule_group for alert in alerts}
    return {
        "receiver": group.contact_point,
        "status": (AlertStatus.FIRING if members.firing else AlertStatus.RESOLVED).value,
        "alerts": told,
        "group_key": group.group_key,
        "group_labels": group.group_labels,
        "common_labels": common_pairs([alert.labels for alert in alerts]),
        "common_annotations": common_pairs([alert.annotations for alert in alerts]),
        "external_url": settings.EXTERNAL_URL,
        "org": org,
        "time_zone": time_zone,
        "rule_group": groups.pop() if len(groups) == 1 else "",
        "delivery_id": delivery_uid,
        "url": f"{settings.EXTERNAL_URL}/o/{org}/alerts",
        "truncated_alerts": max(len(alerts) - MAX_ALERTS, 0),
    }


def alert_payload(alert: TellableAlert, org: str, status: AlertStatus) -> dict[str, Any]:
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
    zone = _zone_of(payload)
    alerts = tuple(_alert_of(item, zone) for item in payload["alerts"])
    fields = {key: value for key, value in payload.items() if key not in _NOT_FIELDS}
    return Notification(
        status=AlertStatus(payload["status"]), alerts=alerts, is_test=is_test, **fields
    )


def _zone_of(payload: Mapping[str, Any]) -> tzinfo:
    """Return the zone a payload tells times in: UTC for older ones, and those of a zone gone."""
    name = payload.get("time_zone", "UTC")
    try:
        return UTC if name == "UTC" else parse_timezone(name)
    except ScheduleError:
        return UTC


def _time_of(text: str, zone: tzinfo) -> datetime:
    at = datetime.fromisoformat(text)
    return at if zone is UTC else at.astimezone(zone)


def _alert_of(item: Mapping[str, Any], zone: tzinfo) -> NotifiedAlert:
    ends_at = item["ends_at"]
    return NotifiedAlert(
        status=_STATUSES[item["status"]],
        labels=item["labels"],
        annotations=item["annotations"],
        starts_at=_time_of(item["starts_at"], zone),
        ends_at=_time_of(ends_at, zone) if ends_at else None,
        generator_url=item["generator_url"],
        fingerprint=item["fingerprint"],
        value=item["value"],
    )


def _sorted(alerts: Sequence[TellableAlert]) -> Sequence[TellableAlert]:
    return sorted(alerts, key=lambda alert: alert_key(alert.labels))


def common_pairs(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the pairs every map has."""
    if not maps:
        return {}
    common = set(maps[0].items())
    for other in maps[1:]:
        common &= set(other.items())
    return dict(sorted(common))
