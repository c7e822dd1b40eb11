"""Whether a request really comes from a chat service, and what it asks for; pure functions.

Slack: v0 signatures (HMAC-SHA-256 of ``v0:timestamp:body``). Telegram: the secret token its
webhook was set with. Discord: Ed25519 of timestamp and body. Anybody else: our own HMAC-SHA-256 of
``timestamp.body`` in ``X-Detectviz-Signature: sha256=…``.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

OLDEST = timedelta(minutes=5)


class SignatureError(ValueError):
    """A request that is not what it says, or too old."""


class UnreadableError(ValueError):
    """A genuine request that asks for nothing we know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request: its body and headers by lowercase names."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A button somebody pressed: its value, who, and what answers the service may need.

    ``nonce`` is different for every press; ``is_ping`` is a service's question whether we are here.
    """

    value: str
    by: str = ""
    nonce: str
    reference: str = ""
    is_ping: bool = False


def slack_read(request: Received, secret: str, now: datetime) -> Pressed:
    """Check and read an interaction of Slack."""
    stamp = request.headers.get("x-slack-request-timestamp", "")
    _require_fresh(stamp, now)
    signed = b"v0:" + stamp.encode() + b":" + request.body
    given = request.headers.get("x-slack-signature", "")
    _require_equal(given, "v0=" + _hmac(secret, signed))
    fields = parse_qs(request.body.decode("utf-8", "replace"))
    payload = _json((fields.get("payload") or [""])[0])
    action = next(iter(payload.get("actions") or [{}]))
    user = payload.get("user") or {}
    return Pressed(
        value=str(action.get("value") or action.get("url") or ""),
        by=str(user.get("username") or user.get("name") or user.get("id") or ""),
        nonce=given,
    )


def telegram_read(request: Received, secret: str, now: datetime) -> Pressed:
    """Check and read a callback query of Telegram, which has no time but a number of its own."""
    _require_equal(request.headers.get("x-telegram-bot-api-secret-token", ""), secret)
    update = _json(request.body)
    query = update.get("callback_query") or {}
    sender = query.get("from") or {}
    return Pressed(
        value=str(query.get("data") or ""),
        by=str(sender.get("username") or sender.get("first_name") or ""),
        nonce=f"telegram/{update.get('update_id')}",
        reference=str(query.get("id") or ""),
    )


def discord_read(request: Received, secret: str, now: datetime) -> Pressed:
    """Check and read an interaction of Discord; ``secret`` is the application's public key, hex."""
    stamp = request.headers.get("x-signature-timestamp", "")
    given = request.headers.get("x-signature-ed25519", "")
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(secret))
        key.verify(bytes.fromhex(given), stamp.encode() + request.body)
    except (InvalidSignature, ValueError) as error:
        raise SignatureError("The signature does not fit.") from error
    _require_fresh(stamp, now)
    interaction = _json(request.body)
    user = (interaction.get("member") or {}).get("user") or interaction.get("user") or {}
    return Pressed(
        value=str((interaction.get("data") or {}).get("custom_id") or ""),
        by=str(user.get("username") or ""),
        nonce=given,
        is_ping=interaction.get("type") == 1,
    )


def generic_read(request: Received, secret: str, now: datetime) -> Pressed:
    """Check and read ``{"value": …, "by": …}`` signed our way."""
    stamp = request.headers.get("x-detectviz-timestamp", "")
    _require_fresh(stamp, now)
    given = request.headers.get("x-detectviz-signature", "")
    signed = stamp.encode() + b"." + request.body
    _require_equal(given, "sha256=" + _hmac(secret, signed))
    said = _json(request.body)
    return Pressed(value=str(said.get("value") or ""), by=str(said.get("by") or ""), nonce=given)


READERS: Mapping[str, Callable[[Received, str, datetime], Pressed]] = {
    "slack": slack_read,
    "telegram": telegram_read,
    "discord": discord_read,
    "generic": generic_read,
}


def _hmac(secret: str, text: bytes) -> str:
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def _require_equal(given: str, expected: str) -> None:
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise SignatureError("The signature does not fit.")


def _require_fresh(stamp: str, now: datetime) -> None:
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= len("9999999999")):
        raise SignatureError("The request carries no time.")
    if abs(now.timestamp() - int(stamp)) > OLDEST.total_seconds():
        raise SignatureError("The request is too old.")


def _json(text: str | bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UnreadableError("The body is no JSON.") from error
    if not isinstance(found, dict):
        raise UnreadableError("The body is no JSON object.")
    return found
