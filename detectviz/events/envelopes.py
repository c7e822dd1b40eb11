"""CloudEvents 1.0, structured mode."""

from datetime import UTC

import orjson

from detectviz.contracts.types import JsonObject
from detectviz.events.integration import SOURCE
from detectviz.events.models import EventDelivery, OutboxEvent

_LONGEST_UID = 32


def cloud_event(event: OutboxEvent) -> JsonObject:
    """Return an event as outsiders read it; ``detectvizorg`` is the name of its org."""
    return {
        "specversion": "1.0",
        "id": event.uid,
        "source": f"/{SOURCE}/orgs/{event.org}",
        "type": f"{event.type}.v{event.version}",
        "subject": event.subject,
        "time": event.at.astimezone(UTC).isoformat(),
        "datacontenttype": "application/json",
        "dataschema": f"/{SOURCE}/events/{event.type}.v{event.version}.json",
        "detectvizorg": str(event.org),
        "data": event.data,
    }


def uid_in(payload: bytes) -> str:
    """Return the id a message from the bus claims, empty when it is no CloudEvent."""
    try:
        envelope = orjson.loads(payload)
    except ValueError:
        return ""
    uid = envelope.get("id") if isinstance(envelope, dict) else None
    is_uid = isinstance(uid, str) and uid.isalnum() and len(uid) <= _LONGEST_UID
    return str(uid) if is_uid else ""


def dead_letter_envelope(row: EventDelivery) -> JsonObject:
    """Return a dead letter as a resource whose name is its uid."""
    return {
        "apiVersion": "core/v1",
        "kind": "DeadLetter",
        "metadata": {
            "name": row.uid,
            "uid": row.uid,
            "created_at": row.event.created_at.isoformat(),
        },
        "spec": {},
        "status": {
            "target": row.target,
            "since": row.changed_at.isoformat(),
            "error": row.last_error,
            "event": cloud_event(row.event),
        },
    }
