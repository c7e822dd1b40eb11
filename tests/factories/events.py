"""Events for tests."""

from typing import Any

from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.events.models import BUS, DeliveryStatus, EventDelivery, OutboxEvent


def make_dead_letter(org: Org, *, subject: str = "s", **fields: Any) -> EventDelivery:
    """Return what the bus did not take of an event of ``org``."""
    now = utc_now()
    event = OutboxEvent.objects.create_for(
        org, type="t", version=1, subject=subject, key="k", data={}, at=now, created_at=now
    )
    values: dict[str, Any] = {
        "target": BUS,
        "status": DeliveryStatus.DEAD,
        "next_attempt_at": now,
        "changed_at": now,
        "last_error": "too large",
    }
    row: EventDelivery = EventDelivery.objects.create_for(org, event=event, **(values | fields))
    return row
