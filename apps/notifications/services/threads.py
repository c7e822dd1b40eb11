"""What a notifier remembers of a group from one message to the next."""

import json
from collections.abc import Sequence
from typing import Any

from apps.notifications.models import AlertGroup, Delivery, NotificationRecord
from detectviz.contracts.types import JsonObject

LARGEST_BYTES = 4_096


def thread_of(*, delivery: Delivery, notifier: str) -> JsonObject:
    """Return what ``notifier`` kept when this receiver was last told of the group."""
    return threads_of(deliveries=[delivery], notifier=notifier).get(delivery.key_digest, {})


def threads_of(*, deliveries: Sequence[Delivery], notifier: str) -> dict[str, JsonObject]:
    """Return what ``notifier`` kept of the groups of a receiver's deliveries, by key digest."""
    records = NotificationRecord.objects.for_org(deliveries[0].org_id).filter(
        key_digest__in=[each.key_digest for each in deliveries],
        contact_point=deliveries[0].contact_point,
        receiver=deliveries[0].receiver,
    )
    kept = records.exclude(thread={}).values_list("key_digest", "thread")
    return {digest: said["data"] for digest, said in kept if said["notifier"] == notifier}


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
