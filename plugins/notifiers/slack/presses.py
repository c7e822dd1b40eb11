"""Interactions of Slack: v0 signatures, the HMAC-SHA-256 of ``v0:timestamp:body``."""

from datetime import datetime
from urllib.parse import parse_qs

from detectviz.contracts.config import get_object, get_objects
from detectviz.contracts.presses import (
    Pressed,
    Received,
    hmac_hex,
    read_object,
    require_equal,
    require_fresh,
    said_first,
)


def read_interaction(received: Received, key: str, now: datetime) -> Pressed:
    """Check and read an interaction; ``key`` is the signing secret of the app."""
    stamp = received.headers.get("x-slack-request-timestamp", "")
    require_fresh(stamp, now)
    given = received.headers.get("x-slack-signature", "")
    require_equal(given, "v0=" + hmac_hex(key, b"v0:" + stamp.encode() + b":" + received.body))
    fields = parse_qs(received.body.decode("utf-8", "replace"))
    payload = read_object((fields.get("payload") or [""])[0])
    action = next(iter(get_objects(payload, "actions")), {})
    return Pressed(
        value=said_first(action, "value", "url"),
        by=said_first(get_object(payload, "user"), "username", "name", "id"),
        nonce=given,
    )
