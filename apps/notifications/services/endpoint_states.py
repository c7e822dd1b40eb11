"""How the endpoints of a contact point are: the breaker's state as pages and programs see it."""

from typing import Any

from apps.notifications.models import ContactPoint, DeliveryEndpoint
from apps.notifications.services.delivery import notifier_schema
from apps.notifications.services.endpoints import endpoint_address


def endpoints_of(*, point: ContactPoint) -> list[dict[str, Any]]:
    """Return the state of what each receiver calls: closed, open or half_open, and why."""
    wanted = {
        (
            receiver["notifier"],
            endpoint_address(
                point=point.name, receiver=receiver, schema=notifier_schema(receiver["notifier"])
            ),
        ): receiver["name"]
        for receiver in point.receivers
    }
    rows = DeliveryEndpoint.objects.for_org(point.org_id).filter(
        notifier__in={notifier for notifier, _ in wanted}
    )
    return [
        _endpoint(row, wanted[row.notifier, row.address])
        for row in rows
        if (row.notifier, row.address) in wanted
    ]


def _endpoint(row: DeliveryEndpoint, receiver: str) -> dict[str, Any]:
    state = "closed"
    if row.opened_at is not None:
        state = "half_open" if row.probe_until else "open"
    return {
        "receiver": receiver,
        "notifier": row.notifier,
        "address": row.address,
        "state": state,
        "failures": row.failures,
        "opened_at": row.opened_at,
        "retry_at": row.retry_at,
        "held_until": row.held_until,
        "error": row.error,
    }
