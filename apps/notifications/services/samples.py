"""Notifications to look at or to test with: made up, from a stored alert, or from a delivery."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import models

from apps.notifications.models import Delivery, RoutedAlert
from apps.notifications.services.payload import alert_payload, common_pairs, notification_of
from apps.orgs.selectors import time_zone_of
from detectviz.clock import utc_now
from detectviz.contracts.notifier import Notification
from detectviz.contracts.types import AlertStatus
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.resources.models import new_uid

SAMPLE_LABELS = {"alertname": "TestAlert", "severity": "info", "source": "detectviz"}
SAMPLE_ANNOTATIONS = {"summary": "This is a test notification. Nothing is wrong."}
_ALERT_TEXTS = ("labels", "annotations")


def trial_notification(
    *,
    point: str,
    org: str,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    status: str = "firing",
) -> Notification:
    """Return a notification of one alert that says it is a test; labels go over the sample's."""
    alert = {
        "labels": {**SAMPLE_LABELS, **(labels or {})},
        "annotations": {**SAMPLE_ANNOTATIONS, **(annotations or {})},
        "status": status,
    }
    payload = payload_completed({"receiver": point, "alerts": [alert]}, org=org)
    return notification_of(payload | {"delivery_id": f"test-{new_uid()}"}, is_test=True)


def payload_completed(given: Mapping[str, Any], *, org: str) -> dict[str, Any]:
    """Return a whole payload for one that says only some things, such as labels of alerts."""
    listed = given.get("alerts") or [{}]
    alerts = [_alert_completed(alert, org) for alert in listed]
    labels = [alert["labels"] for alert in alerts]
    is_firing = any(alert["status"] == AlertStatus.FIRING.value for alert in alerts)
    group_labels = given.get("group_labels")
    if group_labels is None:
        group_labels = {"alertname": labels[0].get("alertname", "")}
    names = ", ".join(f'{name}="{value}"' for name, value in group_labels.items())
    return {
        "receiver": "ops",
        "status": (AlertStatus.FIRING if is_firing else AlertStatus.RESOLVED).value,
        "group_key": f"{{}}:{{{names}}}",
        "common_labels": common_pairs(labels),
        "common_annotations": common_pairs([alert["annotations"] for alert in alerts]),
        "external_url": settings.EXTERNAL_URL,
        "rule_group": "",
        "delivery_id": "preview",
        "url": f"{settings.EXTERNAL_URL}/o/{org}/alerts",
        "truncated_alerts": 0,
        **{key: value for key, value in given.items() if key in _PAYLOAD_FIELDS},
        "org": org,
        "group_labels": group_labels,
        "alerts": alerts,
    }


def notification_sample(
    *,
    org: models.Model,
    alert: str = "",
    delivery: str = "",
    payload: Mapping[str, Any] | None = None,
) -> Notification:
    """Return what to preview with: a delivery's payload, a stored alert, ``payload``, or ours.

    Raise NotFoundError, or InvalidFieldsError for a payload that is none.
    """
    name, zone = str(org), {"time_zone": time_zone_of(org)}
    if delivery:
        return notification_of(_of_delivery(org, delivery))
    if alert:
        stored = payload_completed({"alerts": [_of_alert(org, alert)]}, org=name)
        return notification_of(stored | zone)
    if not payload:
        return notification_of(payload_completed({"alerts": BUILT_IN}, org=name) | zone)
    try:
        return notification_of(payload_completed(payload, org=name) | zone)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        hint = 'Write {"alerts": [{"labels": {…}, "annotations": {…}, "status": "firing"}]}.'
        raise InvalidFieldsError({"spec.sample": [hint]}) from error


def _of_delivery(org: models.Model, uid: str) -> Mapping[str, Any]:
    found = Delivery.objects.for_org(org).filter(uid=uid).values_list("payload", flat=True).first()
    if found is None:
        raise NotFoundError(f"There is no delivery {uid!r} any more.")
    payload: Mapping[str, Any] = found
    return payload


def _of_alert(org: models.Model, fingerprint: str) -> dict[str, Any]:
    found = RoutedAlert.objects.for_org(org).filter(fingerprint=fingerprint).first()
    if found is None:
        raise NotFoundError(f"There is no alert {fingerprint!r} any more.")
    status = AlertStatus.RESOLVED if found.is_resolved else AlertStatus.FIRING
    return alert_payload(found, str(org), status)


def _alert_completed(alert: Mapping[str, Any], org: str) -> dict[str, Any]:
    texts = {
        name: {str(key): str(value) for key, value in alert.get(name, {}).items()}
        for name in _ALERT_TEXTS
    }
    return {
        "status": AlertStatus(alert.get("status", "firing")).value,
        "labels": texts["labels"] or SAMPLE_LABELS,
        "annotations": texts["annotations"],
        "starts_at": alert.get("starts_at") or utc_now().isoformat(),
        "ends_at": alert.get("ends_at"),
        "generator_url": alert.get("generator_url") or f"{settings.EXTERNAL_URL}/o/{org}/alerts",
        "fingerprint": alert.get("fingerprint") or "0" * 16,
        "value": alert.get("value"),
    }


_PAYLOAD_FIELDS = ("receiver", "rule_group", "truncated_alerts")
BUILT_IN: Sequence[Mapping[str, Any]] = (
    {
        "labels": {
            "alertname": "MonitorDown",
            "severity": "critical",
            "monitor": "shop",
            "team": "web",
        },
        "annotations": {"summary": "shop does not answer", "runbook_url": "https://wiki.example/"},
        "value": 0.0,
    },
    {
        "labels": {
            "alertname": "MonitorDown",
            "severity": "critical",
            "monitor": "blog",
            "team": "web",
        },
        "annotations": {"summary": "blog does not answer"},
        "status": "resolved",
        "ends_at": "2026-01-31T08:30:00+00:00",
        "value": 1.0,
    },
)
