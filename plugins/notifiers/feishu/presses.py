"""Card actions of Feishu and Lark (``card.action.trigger``).

With an Encrypt Key bodies are AES-256-CBC and signed: SHA-256 of timestamp, nonce, key and body.
Without one they carry the app's Verification Token. The ChatCallback's key is one of both.
"""

import base64
import hashlib
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from detectviz.contracts.config import get_object
from detectviz.contracts.presses import (
    Pressed,
    Received,
    SignatureError,
    read_object,
    require_equal,
    require_fresh,
    said_first,
)
from detectviz.contracts.types import JsonObject

_VECTOR_BYTES: Final = 16
_BLOCK_BITS: Final = 128


def read_action(received: Received, key: str, now: datetime) -> Pressed:
    """Check and read a card's action, or the challenge of a new address."""
    document = read_object(received.body)
    sealed = said_first(document, "encrypt")
    if sealed:
        document = read_object(decrypted(sealed, key))
    header = get_object(document, "header")
    if not sealed:
        require_equal(said_first(header, "token") or said_first(document, "token"), key)
    if document.get("type") == "url_verification":
        # Not signed, and asks for nothing but its own words.
        challenge = said_first(document, "challenge")
        return Pressed(value="", nonce="challenge", reference=challenge, is_ping=True)
    if sealed:
        _require_signed(received, key, now)
    event = get_object(document, "event")
    return Pressed(
        value=said_first(get_object(get_object(event, "action"), "value"), "value"),
        by=said_first(get_object(event, "operator"), "user_id", "open_id"),
        nonce=f"feishu/{said_first(header, 'event_id')}",
    )


def answer_action(pressed: Pressed, said: str) -> JsonObject:
    """Return the challenge, or a toast for who pressed."""
    if pressed.is_ping:
        return {"challenge": pressed.reference}
    return {"toast": {"type": "info", "content": said}}


def decrypted(sealed: str, key: str) -> bytes:
    """Return what an ``encrypt`` holds: base64 of vector and AES-256-CBC; raise SignatureError."""
    try:
        content = base64.b64decode(sealed, validate=True)
        mode = CBC(content[:_VECTOR_BYTES])
        plain = Cipher(AES(hashlib.sha256(key.encode()).digest()), mode).decryptor()
        padded = plain.update(content[_VECTOR_BYTES:]) + plain.finalize()
        unpadder = PKCS7(_BLOCK_BITS).unpadder()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as error:
        raise SignatureError("The key does not open the body.") from error


def _require_signed(received: Received, key: str, now: datetime) -> None:
    stamp = received.headers.get("x-lark-request-timestamp", "")
    nonce = received.headers.get("x-lark-request-nonce", "")
    require_fresh(stamp, now)
    signed = f"{stamp}{nonce}{key}".encode("utf-8", "replace") + received.body
    digest = hashlib.sha256(signed).hexdigest()
    require_equal(received.headers.get("x-lark-signature", ""), digest if key else "")
