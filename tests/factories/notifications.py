"""Contact points and deliveries for tests."""

from datetime import UTC, datetime
from typing import Any

from apps.notifications.models import ContactPoint, Delivery
from apps.orgs.models import Org
from detectviz.resources.models import new_uid

START = datetime(2026, 1, 1, tzinfo=UTC)


def make_point(org: Org, name: str = "on-call", **fields: Any) -> ContactPoint:
    """Return a contact point with one webhook that signs what it sends."""
    receiver = {
        "name": "webhook",
        "notifier": "webhook",
        "config": {"url": "https://hooks.example.org/alerts"},
        "send_resolved": True,
        "enabled": True,
    }
    values: dict[str, Any] = {"receivers": [receiver], "secrets": {"webhook/secret": "hush"}}
    point: ContactPoint = ContactPoint.objects.create_for(org, name=name, **(values | fields))
    return point


def make_delivery(org: Org, **fields: Any) -> Delivery:
    """Return a delivery of one firing alert that was taken."""
    fingerprint = "00000000000000aa"
    labels = {"alertname": "Down", "team": "web"}
    alert = {"status": "firing", "labels": labels, "annotations": {"summary": "The shop is down"}}
    values: dict[str, Any] = {
        "group_key": '{}:{alertname="Down"}',
        "key_digest": new_uid(),
        "contact_point": "on-call",
        "receiver": "webhook",
        "notifier": "webhook",
        "flush_number": 1,
        "payload": {
            "group_labels": {"alertname": "Down"},
            "alerts": [{**alert, "fingerprint": fingerprint}],
        },
        "firing": [fingerprint],
        "status": "delivered",
        "attempts": 1,
        "reason": "first",
        "status_code": 200,
        "answer": "ok",
        "next_attempt_at": START,
        "created_at": START,
    }
    delivery: Delivery = Delivery.objects.create_for(org, **(values | fields))
    return delivery
