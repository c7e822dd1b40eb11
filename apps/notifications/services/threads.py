"""What a notifier remembers of a group from one message to the next."""

import json
from typing import Any

from apps.notifications.models import AlertGroup, Delivery, NotificationRecord
from detectviz.contracts.types import JsonObject

LARGEST_BYTES = 4_096


def thread_of(*, delivery: Delivery, notifier: str) -> JsonObject:
    """Return what ``notifier`` kept when this receiver was last told of the group."""
    record = NotificationRecord.objects.for_org(delivery.org_id).filter(
        key_digest=delivery.key_digest,
        contact_point=delivery.contact_point,
        receiver=delivery.receiver,
    )
    kept: dict[str, Any] = record.values_list("thread", flat=True).first() or {}
    if kept.get("notifier") != notifier:
        return {}
    data: JsonObject = kept["data"]
    return data


def thread_stored(*, notifier: str, thread: JsonObject) -> dict[str, Any]:
    """Return what to store of a receipt's thread: nothing where it is too large or no JSON."""
    if not thread:
        return {}
    try:
        text = json.dumps(thread, allow_nan=False)
    except (TypeError, ValueError):
        return {}
    if len(text) > LARGEST_BYTES:
        return {}
    return {"notifier": notifier, "data": json.loads(text)}


def threads_forget(*, group: AlertGroup) -> None:
    """Forget the threads of a group that is over."""
    NotificationRecord.objects.for_org(group.org_id).filter(
        key_digest=group.key_digest, contact_point=group.contact_point
    ).exclude(thread={}).update(thread={})
