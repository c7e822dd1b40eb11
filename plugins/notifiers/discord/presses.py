"""Interactions of Discord: Ed25519 signatures of timestamp and body by the application's key."""

from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from detectviz.contracts.config import get_object
from detectviz.contracts.presses import (
    Pressed,
    Received,
    SignatureError,
    read_object,
    require_fresh,
    said_first,
)
from detectviz.contracts.types import JsonObject

_PING: Final = 1
_PONG: Final = 1
_MESSAGE: Final = 4
_FOR_ONE_ALONE: Final = 64
_LONGEST: Final = 2_000


def read_interaction(received: Received, key: str, now: datetime) -> Pressed:
    """Check and read an interaction; ``key`` is the application's public key, hex."""
    stamp = received.headers.get("x-signature-timestamp", "")
    given = received.headers.get("x-signature-ed25519", "")
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(given), stamp.encode() + received.body)
    except (InvalidSignature, ValueError) as error:
        raise SignatureError("The signature does not fit.") from error
    require_fresh(stamp, now)
    interaction = read_object(received.body)
    user = get_object(get_object(interaction, "member"), "user") or get_object(interaction, "user")
    return Pressed(
        value=said_first(get_object(interaction, "data"), "custom_id"),
        by=said_first(user, "username"),
        nonce=given,
        is_ping=interaction.get("type") == _PING,
    )


def answer_interaction(pressed: Pressed, said: str) -> JsonObject:
    """Return PONG, or a message that only who pressed sees."""
    if pressed.is_ping:
        return {"type": _PONG}
    return {"type": _MESSAGE, "data": {"content": said[:_LONGEST], "flags": _FOR_ONE_ALONE}}
